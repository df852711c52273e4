; apic: is there a local APIC? as kernels look for it
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: that there is none
;
; CPUID function 1 says in EDX, bit 9, whether the processor has a local interrupt controller; its registers are at
; FEE00000, the version at FEE00030. Here is none, and the pair of 8259 delivers all interrupts. Where CPUID promises
; one, the register is read all the same, in real mode, by a segment of 4 GiB: see `unreal`.
;
; Run:    stepvisor run guests/bin/apic.bin
; Debug:  stepvisor debug guests/bin/apic.elf
;         (gdb) tbreak ask
;         (gdb) continue
;         (gdb) stepi
;         (gdb) print/x $edx
;         (gdb) tbreak look
;         (gdb) continue
;         (gdb) stepi

bits 16
cpu 586
global start

section .text
start:
    jmp 0x0000:main

main:
    cli
    xor ax, ax
    mov ds, ax
    cld
    mov si, none
    mov eax, 1
ask:
    cpuid
    test edx, 1 << 9
    jz tell
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp .protected
.protected:
    mov bx, 8
    mov fs, bx
    and al, 0xfe
    mov cr0, eax
    jmp .back
.back:
    mov ebx, 0xfee00030
look:
    mov eax, [fs:ebx]
    inc eax
    jz tell
    mov si, there
tell:
    call print
    hlt

%include "print.inc"

none:   db "No local APIC.", 0
there:  db "A local APIC.", 0
align 8
gdt:
    dq 0
    dq 0x00cf92000000ffff       ; data, base 0, limit 4 GiB
gdt_pointer:
    dw 15
    dd gdt

times 510 - ($ - $$) db 0
dw 0xaa55

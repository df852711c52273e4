; unreal: segments of 4 GiB in real mode
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: what is at 1 MiB, read in real mode
;
; A segment's limit is in the hidden part of the segment register, and real mode only changes selector and base. So
; a program may load one with a limit of 4 GiB in protected mode and go back: then 32-bit addresses reach all of
; memory, and the BIOS still can be called. Loaders for large kernels do it.
;
; Run:    stepvisor run guests/bin/unreal.bin
; Debug:  stepvisor debug guests/bin/unreal.elf
;         (gdb) tbreak back
;         (gdb) continue
;         (gdb) monitor registers         the limit of FS
;         (gdb) x/wx 0x100000

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    cli
    xor ax, ax
    mov ds, ax
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
    jmp back
back:
    mov edi, 0x100000
    mov dword [fs:edi], 0x600d1dea
    mov eax, [fs:edi]
    ror eax, 16
    sti
    call hex16
    rol eax, 16
    call hex16
    cli
    hlt

%include "print.inc"

align 8
gdt:
    dq 0
    dq 0x00cf92000000ffff       ; data, base 0, limit 4 GiB
gdt_pointer:
    dw 15
    dd gdt

times 510 - ($ - $$) db 0
dw 0xaa55

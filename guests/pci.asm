; pci: is there a PCI bus? by ports CF8 and CFC, and by INT 1Ah
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: that there is none
;
; A double word to CF8, bit 31 set, chooses a register of a device; CFC is that register. Where no bridge is, CF8
; does not keep what was written, and CFC reads as ones. INT 1Ah AX=B101 asks the BIOS: EDX is "PCI " if it has such
; services, else CF is set.
;
; Run:    stepvisor run guests/bin/pci.bin
; Debug:  stepvisor debug guests/bin/pci.elf
;         (gdb) break-out 0xcf8
;         (gdb) continue
;         (gdb) break-int 0x1a

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    cld
    mov ax, 0xb101
    xor edx, edx
    int 0x1a
    jc .none
    cmp edx, "PCI "
    je there
.none:
    mov dx, 0xcf8
    mov eax, 0x80000000         ; bus 0, device 0, function 0, register 0: maker and device
    out dx, eax
    in eax, dx
    cmp eax, 0x80000000
    je there
    mov dx, 0xcfc
    in eax, dx
    inc eax
    jnz there
    mov si, no
    call print
    cli
    hlt
there:
    mov si, yes
    call print
    cli
    hlt

%include "print.inc"

no:     db "No PCI.", 0
yes:    db "PCI.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

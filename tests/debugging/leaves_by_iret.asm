; Leaves by an IRET whose frame the code has made itself, as kernels enter ring 3.
;
; load: 0x7c00
; format: elf32

bits 16
global start

section .text
start:
    cli
prepare:                        ; for gdb this is another function
    nop
    push word 0x0202            ; flags
    push word 0
    push word program
    iret

program:
    nop
    jmp $

; exitcode: an end by the exit port, with a result for the host
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: the exit port
; screen: a line of text
;
; Port F4 ends the run, as QEMU's isa-debug-exit does: a write of V gives the exit code 2 * V + 1, which is odd, so
; that it cannot be mistaken for Stepvisor's own. Tests of kernels tell their result so: here 21 * 2 + 1 = 43.
;
; Run:    stepvisor run guests/bin/exitcode.bin
; Debug:  stepvisor debug guests/bin/exitcode.elf
;         (gdb) continue                  "exited with code 053": in octal

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
    mov si, text
    call print
    mov al, 21
    out 0xf4, al
    cli
    hlt

%include "print.inc"

text: db "21 it is.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

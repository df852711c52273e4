; reset64: a reset by the keyboard controller
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: reset
; screen: a line of text
;
; Bit 0 of the 8042's output port is the line that resets the processor; command FE to port 64 pulses it. Programs
; for the 80286 came back from protected mode so. Here it is the end of the run, with exit code 32.
;
; Run:    stepvisor run guests/bin/reset64.bin
; Debug:  stepvisor debug guests/bin/reset64.elf
;         (gdb) break-out 0x64
;         (gdb) continue
;         (gdb) print/x $al

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
ready:
    in al, 0x64
    test al, 0x02
    jnz ready
    mov al, 0xfe
    out 0x64, al
    cli
    hlt

%include "print.inc"

text: db "By port 64.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

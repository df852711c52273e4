; restart: a restart by the reset vector
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: reset
; screen: a line of text
;
; FFFF:0000 is where a processor starts: there is a jump to the firmware's beginning. A program that jumps there
; restarts the machine; with 1234 at 0040:0072 without its memory test. Here it is the end of the run, with exit
; code 32.
;
; Run:    stepvisor run guests/bin/restart.bin
; Debug:  stepvisor debug guests/bin/restart.elf
;         (gdb) x/i 0xffff0
;         (gdb) tbreak leave
;         (gdb) continue

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
    mov word [0x472], 0x1234
leave:
    jmp 0xffff:0x0000

%include "print.inc"

text: db "Once more.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

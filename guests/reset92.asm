; reset92: a reset by port 92
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: reset
; screen: a line of text
;
; Port 92 is the quick way to what the keyboard controller does slowly: bit 1 is address line A20, and bit 0, when
; it goes from 0 to 1, resets the processor. Here it is the end of the run, with exit code 32.
;
; Run:    stepvisor run guests/bin/reset92.bin
; Debug:  stepvisor debug guests/bin/reset92.elf
;         (gdb) break-out 0x92
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
    in al, 0x92
    and al, 0xfe                ; it has to rise
    out 0x92, al
    or al, 0x01
    out 0x92, al
    cli
    hlt

%include "print.inc"

text: db "By port 92.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

; askkey: a guest that waits for a key
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: waits for a key
; screen: a line of text
;
; INT 16h AH=00 comes back when there is a key. Until then the processor is in HLT, in the firmware, with interrupts
; on. When nobody is there to type, it is the end of the run, with exit code 42.
;
; Run:    stepvisor run guests/bin/askkey.bin
; Debug:  stepvisor debug guests/bin/askkey.elf
;         (gdb) continue
;         (gdb) x/3i $pc - 1              in the ROM: hlt, and back to the service
;         (gdb) monitor key x
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
    mov ah, 0x00
    int 0x16
    call putc
    cli
    hlt

%include "print.inc"

text: db "Press a key: ", 0

times 510 - ($ - $$) db 0
dw 0xaa55

; bootagain: boot once more: INT 19h
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: INT 19h
; screen: a line of text
;
; INT 19h loads the boot sector anew and starts it, without a reset: memory and vectors stay. Boot sectors do it
; when the user has changed the disk. Here it is the end of the run, with exit code 36.
;
; Run:    stepvisor run guests/bin/bootagain.bin
; Debug:  stepvisor debug guests/bin/bootagain.elf
;         (gdb) break-int 0x19
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
    int 0x19
    cli
    hlt

%include "print.inc"

text: db "Change the disk.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

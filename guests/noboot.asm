; noboot: no more to boot: INT 18h
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: INT 18h
; screen: a line of text
;
; On the first PC INT 18h started BASIC in ROM. Since then it says: this is not bootable, try the next device. Boot
; sectors that do not find their system end so. Here it is the end of the run, with exit code 34.
;
; Run:    stepvisor run guests/bin/noboot.bin
; Debug:  stepvisor debug guests/bin/noboot.elf
;         (gdb) break-int 0x18
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
    int 0x18
    cli                         ; it does not come back
    hlt

%include "print.inc"

text: db "No system here.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

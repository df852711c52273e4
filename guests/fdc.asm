; fdc: is there a floppy controller at 3F4? as drivers look for it
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: that there is none
;
; The main status register, 3F4, has bit 7 set when the controller, a 82077 or an older one, takes or gives a byte,
; and bit 6 says which way. After a reset by 3F2 it is 80: ready for a command. FF tells of an empty bus. Floppies
; are there for INT 13h only.
;
; Run:    stepvisor run guests/bin/fdc.bin
; Debug:  stepvisor debug guests/bin/fdc.elf
;         (gdb) break-in 0x3f4
;         (gdb) continue
;         (gdb) stepi
;         (gdb) print/x $al

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
    cld
    mov dx, 0x3f2
    mov al, 0x00                ; reset,
    out dx, al
    mov al, 0x0c                ; and on again
    out dx, al
    mov si, none
    mov dx, 0x3f4
    mov cx, 100                 ; it may take a little
ready:
    in al, dx
    cmp al, 0xff
    je tell
    and al, 0xc0
    cmp al, 0x80
    je found
    loop ready
    jmp tell
found:
    mov si, there
tell:
    call print
    hlt

%include "print.inc"

none:   db "No floppy controller.", 0
there:  db "A floppy controller.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

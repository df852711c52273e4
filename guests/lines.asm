; lines: text that runs over the end of the screen
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the last 24 of 30 numbered lines
;
; INT 10h AH=0E at the end of the last row scrolls the screen by a row, and so does a line feed there. The row that
; comes in has attribute 07 under SeaBIOS, whatever colour was there.
;
; Run:    stepvisor run guests/bin/lines.bin
; Debug:  stepvisor debug guests/bin/lines.elf
;         (gdb) break scrolls if $bp > 25
;         (gdb) continue
;         (gdb) x/2bx 0x450                the cursor is in the last row
;         (gdb) monitor screen

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ax, 0x0600              ; all of the screen in white on blue
    mov bh, 0x1f
    xor cx, cx
    mov dx, 0x184f
    int 0x10
    xor bp, bp
next:
    inc bp
    mov ax, bp
    aam                         ; two decimal digits
    add ax, '00'
    xchg al, ah
    call putc
    xchg al, ah
    call putc
    cmp bp, 30
    je last
scrolls:
    call newline
    jmp next
last:
    cli
    hlt

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

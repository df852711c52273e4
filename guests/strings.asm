; strings: INT 10h AH=13: strings in four ways
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: four rows of text in different colours, the cursor behind the last
;
; AL says how: bit 0 that the cursor moves along, bit 1 that each character is followed by its attribute. CX counts
; the characters, DH and DL are row and column, BH the page, BL the attribute, ES:BP the text. Carriage return, line
; feed, backspace and bell are obeyed.
;
; Run:    stepvisor run guests/bin/strings.bin
; Debug:  stepvisor debug guests/bin/strings.elf
;         (gdb) break-int 0x10 ah=0x13
;         (gdb) continue
;         (gdb) x/s $bp
;         (gdb) nexti
;         (gdb) x/2bx 0x450                the cursor

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ax, 0x1300              ; the cursor stays
    mov bx, 0x000a
    mov cx, plain_end - plain
    mov dx, 0x0102
    mov bp, plain
    int 0x10
    call where
    mov ax, 0x1301              ; it moves
    mov bx, 0x000c
    mov cx, plain_end - plain
    mov dx, 0x0402
    mov bp, plain
    int 0x10
    call where
    mov ax, 0x1302              ; attributes in the string
    mov cx, 3
    mov dx, 0x0802
    mov bp, coloured
    int 0x10
    mov ax, 0x1303
    mov cx, 3
    mov dx, 0x094e              ; over the end of the row
    mov bp, coloured
    int 0x10
    cli
    hlt

; prints where the cursor is
where:
    mov ah, 0x03
    mov bh, 0
    int 0x10
    mov ax, dx
    call hex16
    jmp newline

%include "print.inc"

plain:      db "one", 13, 10, "twq", 8, "o"
plain_end:
coloured:   db "r", 0x4f, "g", 0x2f, "b", 0x1f

times 510 - ($ - $$) db 0
dw 0xaa55

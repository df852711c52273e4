; pages: eight pages of text by INT 10h, of which one is shown, and the cursor of each
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: page 1: its number in row 1, and a cursor that fills its cell
;
; Debug:  stepvisor debug guests/bin/pages.elf
;         (gdb) break halt
;         (gdb) continue
;         (gdb) x/8hx 0x450                the cursors of the eight pages
;         (gdb) x/8bx 0xb8000              page 0 is still there

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, 0x0003
    int 0x10

number:                         ; each page gets its number, at row and column of the same number
    mov bh, 0
.page:
    mov ah, 0x02
    mov dh, bh
    mov dl, bh
    int 0x10
    mov ah, 0x09
    mov al, bh
    add al, "0"
    mov bl, 0x0a
    mov cx, 1
    int 0x10
    inc bh
    cmp bh, 8
    jb .page

show:
    mov ax, 0x0501              ; AH=05: show page 1
    int 0x10
    mov ah, 0x01                ; AH=01: a cursor of all lines of a character
    mov cx, 0x0007
    int 0x10
    mov ah, 0x0f                ; AH=0F: mode, columns and the page shown
    int 0x10
    mov [state], ax
    mov [page], bh

halt:
    cli
    hlt
    jmp halt

state:      dw 0
page:       db 0

    times 510-($-$$) db 0
    dw 0xaa55

; twocolours: CGA mode 06 by INT 10h: 640x200 in two colours
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics mode 6: a chessboard of small squares, and a line that was inverted twice
;
; Each byte has eight pixels, the leftmost in bit 7. Even rows are at B800:0000, odd ones at B800:2000. INT 10h
; AH=0C and writes to memory meet in the same picture.
;
; Run:    stepvisor run guests/bin/twocolours.bin
; Debug:  stepvisor debug guests/bin/twocolours.elf
;         (gdb) tbreak line
;         (gdb) continue
;         (gdb) x/4bx 0xb8000
;         (gdb) x/4bx 0xba000
;         (gdb) monitor screen twocolours.png

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    mov ax, 0x0006
    int 0x10
    mov ax, 0xb800
    mov es, ax
    xor ax, ax
    mov ds, ax
    cld

    xor di, di                  ; 32 even rows, and the odd ones below them
    xor bx, bx
    mov ax, 0x00ff
board:
    mov cx, 8
    push di
    rep stosw
    pop di
    mov cx, 8
    push di
    add di, 0x2000
    rep stosw
    pop di
    add di, 80
    inc bx
    test bl, 0x03               ; after eight rows
    jnz .same
    xchg al, ah
.same:
    cmp di, 80 * 32
    jb board

line:
    mov bp, 2
.again:
    xor cx, cx
.next:
    mov ax, 0x0c81              ; exclusive or with colour 1
    mov dx, 10
    mov bh, 0
    int 0x10
    inc cx
    cmp cx, 128
    jb .next
    dec bp
    jnz .again
    mov ah, 0x0d
    mov cx, 9
    int 0x10
    mov [found], al
    cli
    hlt

found: db 0

times 510 - ($ - $$) db 0
dw 0xaa55

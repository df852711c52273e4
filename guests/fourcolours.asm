; fourcolours: CGA mode 04 by INT 10h: four colours of two palettes, and a background
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics mode 4: stripes in red, green and yellow on blue
;
; A CGA had two palettes for its 320x200 pixels: green, red and brown, or cyan, magenta and white. INT 10h AH=0B
; chooses: BH=1 the palette BL, BH=0 the background BL, which is colour 0, with bit 4 for the bright variants. A VGA
; does it by its own palette registers, which AX=1007 shows.
;
; Run:    stepvisor run guests/bin/fourcolours.bin
; Debug:  stepvisor debug guests/bin/fourcolours.elf
;         (gdb) tbreak read
;         (gdb) continue
;         (gdb) x/4bx 0xb8000             row 0: four pixels a byte
;         (gdb) x/4bx 0xba000             row 1 is in the other bank
;         (gdb) monitor vga

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ax, 0x0004
    int 0x10
    mov ah, 0x0b
    mov bx, 0x0011              ; the background blue, the palette bright
    int 0x10
    mov ah, 0x0b
    mov bx, 0x0100              ; palette 0
    int 0x10

    xor dx, dx
stripes:
    xor cx, cx
.next:
    mov ax, 0x0c00
    mov al, cl
    shr al, 4
    and al, 3
    mov bh, 0
    int 0x10
    inc cx
    cmp cx, 64
    jb .next
    inc dx
    cmp dx, 4
    jb stripes

read:
    mov ah, 0x0d
    mov cx, 50                  ; in the fourth stripe
    mov dx, 1
    int 0x10
    mov [found], al             ; 3
    mov ax, 0x1007              ; what colour 3 is in the palette
    mov bl, 3
    int 0x10
    mov [found + 1], bh
    cli
    hlt

found: db 0, 0

times 510 - ($ - $$) db 0
dw 0xaa55

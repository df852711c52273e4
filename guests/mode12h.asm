; mode12h: mode 12h by INT 10h: 640x480 in 16 colours, pixels without knowing of planes
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics mode 12h: a white diagonal, a bar of all colours with inverted dots, a green dot in the middle
;
; INT 10h AH=0C sets the pixel CX, DX to the colour AL, AH=0D reads it into AL. With bit 7 of the colour it is
; combined with what is there by exclusive or: twice is as before. A BIOS needs many instructions for a pixel;
; programs in a hurry write to the planes themselves, as `planar` does.
;
; Run:    stepvisor run guests/bin/mode12h.bin
; Debug:  stepvisor debug guests/bin/mode12h.elf
;         (gdb) break invert
;         (gdb) continue
;         (gdb) monitor screen mode12h.png
;         (gdb) monitor vga               the planes' registers are as the BIOS leaves them

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ax, 0x0012
    int 0x10

    xor cx, cx
diagonal:
    mov dx, cx
    mov al, 15
    call pixel
    inc cx
    cmp cx, 120
    jb diagonal

    mov dx, 200                 ; 16 columns of 4 pixels, 4 rows
bar:
    xor cx, cx
.column:
    mov ax, cx
    shr ax, 2
    call pixel
    inc cx
    cmp cx, 64
    jb .column
    inc dx
    cmp dx, 204
    jb bar

invert:
    mov dx, 202
    xor cx, cx
.next:
    mov al, 0x8f                ; all four planes change
    call pixel
    add cx, 2
    cmp cx, 64
    jb .next

read:
    mov ah, 0x0d
    mov bh, 0
    mov cx, 20                  ; colour 5, and inverted 10
    mov dx, 202
    int 0x10
    mov cx, 320
    mov dx, 240
    call pixel
    cli
    hlt

; the pixel CX, DX in colour AL
pixel:
    mov ah, 0x0c
    mov bh, 0
    int 0x10
    ret

times 510 - ($ - $$) db 0
dw 0xaa55

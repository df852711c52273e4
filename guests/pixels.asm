; pixels: mode 13h by INT 10h: pixels by AH=0C and by memory, a colour of one's own, text on it
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics mode 13h: a diagonal of colours from the upper left, "Hi" in orange in the lower right
;
; Debug:  stepvisor debug guests/bin/pixels.elf
;         (gdb) break text
;         (gdb) continue
;         (gdb) x/bx 0xa0000 + 5*320 + 5   the pixel 5,5
;         (gdb) monitor screen pixels.png

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
    mov ax, 0x0013
    int 0x10

diagonal:
    xor cx, cx
.next:
    mov dx, cx
    mov ah, 0x0c                ; AH=0C: pixel CX, DX in colour AL
    mov al, cl
    mov bh, 0
    int 0x10
    inc cx
    cmp cx, 200
    jb .next

read:
    mov ah, 0x0d                ; AH=0D: which colour has it?
    mov cx, 100
    mov dx, 100
    int 0x10
    mov [found], al             ; 100

colour:
    mov ax, 0x1010              ; AH=10, AL=10: colour BX of the DAC, red DH, green CH, blue CL
    mov bx, 40
    mov dh, 63
    mov cx, 32 << 8
    int 0x10

text:
    mov ah, 0x02
    mov bh, 0
    mov dx, 0x1826              ; the last row, column 38
    int 0x10
    mov ax, 0x0948              ; "H"
    mov bx, 40
    mov cx, 1
    int 0x10
    mov ah, 0x02
    mov dl, 39
    int 0x10
    mov ax, 0x0969              ; "i"
    int 0x10

halt:
    cli
    hlt
    jmp halt

found:      db 0

    times 510-($-$$) db 0
    dw 0xaa55

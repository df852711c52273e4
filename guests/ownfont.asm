; ownfont: characters of the guest's own by INT 10h AH=11, and 50 rows of text
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: 50 rows: A and B are a smiling and a sad face; numbers of what AX=1130 says
;
; INT 10h AX=1100 loads CX characters of BH bytes each, from ES:BP, beginning with character DX, into the font BL.
; AX=1112 loads the ROM's font of 8 lines and makes 50 rows of the screen. AX=1130 tells the lines of a character
; (CX) and the last row (DL). The same by registers is `font`.
;
; Run:    stepvisor run guests/bin/ownfont.bin
; Debug:  stepvisor debug guests/bin/ownfont.elf
;         (gdb) tbreak load
;         (gdb) continue
;         (gdb) monitor screen before.png
;         (gdb) continue
;         (gdb) monitor screen faces.png
;         (gdb) x/3bx 0x484                the last row, and the lines of a character

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
    cld
    mov si, text
    call print
    mov ax, 0x1112
    mov bl, 0
    int 0x10
load:
    mov ax, 0x1100
    mov bx, 0x0800              ; 8 bytes, font 0
    mov cx, 2
    mov dx, 'A'
    mov bp, faces
    int 0x10
    mov ax, 0x1130
    mov bh, 3                   ; where the font of 8 lines is: ES:BP
    int 0x10
    mov ax, cx
    call hex16
    mov al, dl
    call hex8
    call newline
    mov ah, 0x03                ; the cursor's lines, of 8
    mov bh, 0
    int 0x10
    mov ax, cx
    call hex16
    call newline
    mov al, [es:bp + 0xdb * 8]  ; a line of the full block
    call hex8
    mov ah, 0x02
    mov bh, 0
    mov dx, 0x3100              ; row 49
    int 0x10
    mov si, text
    call print
    cli
    hlt

%include "print.inc"

text:   db "A or B?", 13, 10, 0
faces:  db 00111100b, 01000010b, 10100101b, 10000001b, 10100101b, 10011001b, 01000010b, 00111100b
        db 00111100b, 01000010b, 10100101b, 10000001b, 10011001b, 10100101b, 01000010b, 00111100b

times 510 - ($ - $$) db 0
dw 0xaa55

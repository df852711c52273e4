; ega: EGA modes by INT 10h: 0Dh, 0Eh and 10h, and a palette of 16 out of 64 colours
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics mode 10h: 16 bars, all in shades of one colour but for those that were changed one by one
;
; Modes 0D (320x200), 0E (640x200) and 10 (640x350) have 16 colours in planes. The palette says which of 64 colours
; they are: INT 10h AX=1002 takes 16 of them and the border's from ES:DX, AX=1000 sets register BL to BH. Bits 0 to
; 2 of a colour are blue, green and red of 2/3, bits 3 to 5 the same of 1/3.
;
; Run:    stepvisor run guests/bin/ega.bin
; Debug:  stepvisor debug guests/bin/ega.elf
;         (gdb) tbreak palette
;         (gdb) continue
;         (gdb) monitor screen before.png
;         (gdb) continue
;         (gdb) monitor screen after.png

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
    mov ss, ax
    mov sp, 0x7c00
    mov di, found
    mov ax, 0x000d
    call look
    mov ax, 0x000e
    call look
    mov ax, 0x0010
    call look

bars:
    xor cx, cx
.next:
    mov ax, cx
    shr ax, 2
    mov ah, 0x0c
    mov dx, 340                 ; a row that only mode 10 has
    mov bh, 0
    int 0x10
    mov ah, 0x0c
    mov dx, 341
    int 0x10
    inc cx
    cmp cx, 64
    jb .next

palette:
    mov ax, 0x1002
    mov dx, colours
    int 0x10
    mov ax, 0x1000              ; register 1 becomes bright yellow
    mov bx, 0x3e01
    int 0x10
    mov ax, 0x1001              ; the border: blue
    mov bh, 0x01
    int 0x10
    cli
    hlt

; sets mode AL and notes the colour that a pixel has, which it has just been given, and the page's size
look:
    int 0x10
    mov ax, 0x0c0a
    mov bh, 0
    mov cx, 319
    mov dx, 199
    int 0x10
    mov ah, 0x0d
    int 0x10
    stosb
    mov ax, [0x44c]
    stosw
    ret

found:      times 9 db 0
colours:    db 0x00, 0x08, 0x01, 0x09, 0x08, 0x01, 0x09, 0x39, 0x00, 0x08, 0x01, 0x09, 0x08, 0x01, 0x09, 0x39, 0x00

times 510 - ($ - $$) db 0
dw 0xaa55

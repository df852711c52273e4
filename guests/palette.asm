; palette: colours by INT 10h AH=10: palette, border, blinking, DAC, pages of colours, greys
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: what each function reads back
;
; AX=1000 sets a palette register, 1001 the border, 1003 whether attribute bit 7 blinks; 1007, 1008 and 1009 read.
; AX=1010 sets a colour of the DAC to red DH, green CH and blue CL, of 6 bits each, 1012 as many as CX says; 1015
; and 1017 read. AX=1013 divides the DAC into pages, 101A tells of them. AX=101B makes colours grey.
;
; Run:    stepvisor run guests/bin/palette.bin
; Debug:  stepvisor debug guests/bin/palette.elf
;         (gdb) break-int 0x10 ah=0x10
;         (gdb) continue
;         (gdb) nexti
;         (gdb) monitor vga               palette and DAC

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
    mov ax, 0x1000
    mov bx, 0x3a05              ; register 5
    int 0x10
    mov ax, 0x1001
    mov bh, 0x11
    int 0x10
    mov ax, 0x1003
    mov bl, 0                   ; bright backgrounds
    int 0x10
    mov ax, 0x1007
    mov bl, 0x05
    call show                   ; 3A
    mov ax, 0x1007
    mov bl, 0x10
    call show                   ; mode control, without the bit for blinking
    mov ax, 0x1008
    call show                   ; 11
    mov ax, 0x1009
    mov dx, buffer
    int 0x10
    mov al, [buffer + 6]
    call hex8                   ; 14: brown is not dark yellow
    call newline

    mov ax, 0x1010
    mov bx, 7
    mov dh, 0x3f
    mov cx, 0x2010
    int 0x10
    mov ax, 0x1015
    mov bx, 7
    call colour
    mov ax, 0x1012              ; two at once
    mov bx, 0x20
    mov cx, 2
    mov dx, two
    int 0x10
    mov ax, 0x1017
    mov bx, 0x21
    mov cx, 1
    mov dx, buffer
    int 0x10
    mov ax, [buffer]
    call hex16
    call newline
    mov ax, 0x101b
    mov bx, 0x20
    mov cx, 2
    int 0x10
    mov ax, 0x1015
    mov bx, 0x20
    call colour

    mov ax, 0x1013
    mov bx, 0x0100              ; 16 pages of 16
    int 0x10
    mov ax, 0x1013
    mov bx, 0x0501              ; page 5
    int 0x10
    mov ax, 0x101a
    int 0x10
    push bx
    mov ax, 0x1013              ; and back, to be seen
    mov bx, 0x0001
    int 0x10
    mov ax, 0x1013
    mov bx, 0x0000
    int 0x10
    pop ax
    call hex16
    cli
    hlt

; calls INT 10h and prints what it gives in BH
show:
    int 0x10
    mov al, bh
    call hex8
    mov al, ' '
    jmp putc

; the same with DH, CH and CL
colour:
    int 0x10
    mov al, dh
    call hex8
    mov ax, cx
    call hex16
    jmp newline

%include "print.inc"

two:    db 0x3f, 0x00, 0x00, 0x01, 0x02, 0x03
buffer equ 0x600

times 510 - ($ - $$) db 0
dw 0xaa55

; fire: mode 13h, drawn in place: each pixel is read back and becomes the mean of itself and the three below it
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics mode 13h: in the upper left corner two fires of 32 by 25 pixels, the second like the first, 8 columns
;         to the right of it
;
; A picture in mode 13h needs no copy in RAM: video memory is read as it is written. The lowest row gets embers of
; any colour, and what is above them cools on its way up. Then the picture is copied beside itself.
;
; Debug:  stepvisor debug guests/bin/fire.elf
;         (gdb) break beside
;         (gdb) continue
;         (gdb) x/32bx 0xa0000 + 320*20   a row of the first frame
;         (gdb) rwatch *(char *)0xa0000   read for the next frame, and for the copy
;         (gdb) continue
;         (gdb) monitor screen fire.png

bits 16
cpu 386
global start

FRAMES  equ 4
COLUMNS equ 320
WIDTH   equ 32
HEIGHT  equ 24                  ; above the embers
BESIDE  equ WIDTH + 8

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, 0x0013
    int 0x10
    mov ax, 0xa000
    mov ds, ax
    mov es, ax
    cld
    mov bp, FRAMES
    xor bx, bx                  ; BH stays 0
    xor dl, dl

embers:
    mov di, HEIGHT * COLUMNS
    mov cx, WIDTH
.next:
    add dl, 0x3b
    rol dl, 3
    mov al, dl
    stosb
    loop .next

cool:
    xor di, di
    mov dh, HEIGHT
.row:
    mov cx, WIDTH
.pixel:
    xor ax, ax
    mov al, [di]
    mov bl, [di + COLUMNS - 1]
    add ax, bx
    mov bl, [di + COLUMNS]
    add ax, bx
    mov bl, [di + COLUMNS + 1]
    add ax, bx
    shr ax, 2
    stosb
    loop .pixel
    add di, COLUMNS - WIDTH
    dec dh
    jnz .row

beside:
    xor si, si
    mov di, BESIDE
    mov dh, HEIGHT + 1
.row:
    mov cx, WIDTH
    rep movsb
    add si, COLUMNS - WIDTH
    add di, COLUMNS - WIDTH
    dec dh
    jnz .row

    dec bp
    jnz embers

halt:
    cli
    hlt
    jmp halt

    times 510-($-$$) db 0
    dw 0xaa55

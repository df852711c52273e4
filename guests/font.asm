; font: characters of the guest's own, and 512 of them at once
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 0 is `AAAA`, of which the first two look like a chessboard and the others, the bright ones, like a frame
;
; In text mode plane 0 has the characters, plane 1 the attributes, and plane 2 the font: 32 bytes a character, of
; which as many are shown as a row is high. To write there, even and odd addresses must not lead to different planes for a
; while. There is room for eight fonts; the character map register chooses one for characters whose attribute bit 3
; is 0 and another for those where it is 1: the bright ones.
;
; Debug:  stepvisor debug guests/bin/font.elf
;         (gdb) break load
;         (gdb) continue
;         (gdb) x/16bx 0xa0820            the letter A as it was
;         (gdb) break halt
;         (gdb) continue
;         (gdb) monitor screen            still letters
;         (gdb) monitor screen font.png

bits 16
cpu 386
global start

SEQUENCER   equ 0x3c4
GRAPHICS    equ 0x3ce
SECOND      equ 0x4000          ; where the second font begins

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    cld

    mov ax, 0xb800
    mov es, ax
    mov ax, 0x0741              ; A
    xor di, di
    stosw
    stosw
    mov ah, 0x0f                ; bright
    stosw
    stosw

open:                           ; plane 2 alone, byte by byte, at A0000
    mov si, to_plane_2
    call write_all
    mov ax, 0xa000
    mov es, ax

load:
    mov di, 'A' * 32
    mov cx, 8
    mov ax, 0x55aa
    rep stosw                   ; a chessboard
    mov di, SECOND + 'A' * 32
    mov al, 0xff
    stosb
    mov cx, 14
    mov al, 0x81
    rep stosb                   ; a frame
    mov al, 0xff
    stosb

close:                          ; and back to text
    mov si, to_text
    call write_all

halt:
    cli
    hlt
    jmp halt

; Writes the registers at SI: two ports of a pair, seven words of index and value; the first four are the sequencer's.
write_all:
    mov cx, 4
    mov dx, SEQUENCER
.sequencer:
    lodsw
    out dx, ax
    loop .sequencer
    mov cx, 3
    mov dx, GRAPHICS
.graphics:
    lodsw
    out dx, ax
    loop .graphics
    ret

to_plane_2:
    dw 0x0402                   ; map mask: plane 2
    dw 0x0604                   ; memory mode: no odd and even
    dw 0x0003                   ; character map: one font
    dw 0x0300                   ; the sequencer runs
    dw 0x0204                   ; read map: plane 2
    dw 0x0005                   ; mode: no odd and even
    dw 0x0406                   ; memory at A0000, 64 KiB
to_text:
    dw 0x0302                   ; map mask: characters and attributes
    dw 0x0204                   ; memory mode: odd and even
    dw 0x0403                   ; character map: the second font for attribute bit 3
    dw 0x0300
    dw 0x0004
    dw 0x1005                   ; mode: odd and even
    dw 0x0e06                   ; memory at B8000

    times 510-($-$$) db 0
    dw 0xaa55

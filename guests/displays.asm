; displays: which display adapter is it? as programs have asked since there was more than one
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: 1A1A 08 of a VGA, what AH=12 says of an EGA, the mode, its rows, and where the CRT controller is
;
; INT 10h AX=1A00 is of a VGA's BIOS: AL becomes 1A, BL tells the display. AH=12 BL=10 is of an EGA's: BH 0 is
; colour, BL the memory in pieces of 64 KiB less one. AH=0F is in all: mode AL, columns AH, page BH. The data area
; has the same: 0040:0049 mode, 004A columns, 0063 the CRT controller's port, 0084 rows less one.
;
; Run:    stepvisor run guests/bin/displays.bin
; Debug:  stepvisor debug guests/bin/displays.elf
;         (gdb) break-int 0x10
;         (gdb) continue
;         (gdb) x/30bx 0x449

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ax, 0x1a00
    int 0x10
    call hex16
    mov al, bl
    call hex8
    call newline
    mov ah, 0x12
    mov bx, 0xff10
    int 0x10
    mov ax, bx
    call hex16
    mov ax, cx
    call hex16
    call newline
    mov ax, 0x1201              ; 350 lines from the next mode on
    mov bl, 0x30
    int 0x10
    call hex8                   ; 12
    mov ax, 0x1202              ; and 400 again
    mov bl, 0x30
    int 0x10
    call newline
    mov ah, 0x0f
    int 0x10
    call hex16
    mov al, bh
    call hex8
    call newline
    mov al, [0x449]
    call hex8
    mov ax, [0x44a]
    call hex16
    mov ax, [0x463]
    call hex16
    mov al, [0x484]
    call hex8
    cli
    hlt

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

; vbebanked: 640x480 pixels of 256 colours by VBE, through the window of 64 KiB at A0000 that is moved by banks
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: 640x480: where a bank begins, every 102 rows and a part of one, a line of a colour of its own
;
; Debug:  stepvisor debug guests/bin/vbebanked.elf
;         (gdb) break main.bank
;         (gdb) continue
;         (gdb) p $dx                      the bank
;         (gdb) monitor screen vbe.png

bits 16
cpu 386
global start

BANKS       equ 640 * 480 / 0x10000 + 1

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    cld
    mov ax, 0x4f02
    mov bx, 0x0101
    int 0x10
    cmp ax, 0x004f
    jne halt
    mov ax, 0xa000
    mov es, ax
    xor dx, dx
.bank:
    mov ax, 0x4f05              ; AL=05, BX=0: the window shows bank DX
    xor bx, bx
    int 0x10
    mov al, dl
    add al, 9                   ; light blue, and on
    mov ah, al
    xor di, di
    mov cx, 640 / 2
    rep stosw
    inc dx
    cmp dx, BANKS
    jb .bank

halt:
    cli
    hlt
    jmp halt

    times 510-($-$$) db 0
    dw 0xaa55

; poweroff: the power switched off by APM
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: power-off
; screen: a line of text
;
; INT 15h AX=5300 asks for Advanced Power Management, "PM" in BX if there is any. AX=5301 connects, 530E tells which
; version the program knows, 5308 switches power management on, and 5307 sets the power of a device: BX=1 is all of
; them, CX=3 off. Here it is the end of the run, with exit code 40.
;
; Run:    stepvisor run guests/bin/poweroff.bin
; Debug:  stepvisor debug guests/bin/poweroff.elf
;         (gdb) break-int 0x15 ax=0x5307
;         (gdb) continue
;         (gdb) info registers bx cx

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    cld
    mov si, text
    call print
    mov ax, 0x5300
    xor bx, bx
    int 0x15
    jc none
    cmp bx, "MP"
    jne none
    mov ax, 0x5301
    xor bx, bx
    int 0x15
    jc none
    mov ax, 0x530e
    xor bx, bx
    mov cx, 0x0102
    int 0x15
    mov ax, 0x5308
    mov bx, 0x0001
    mov cx, 0x0001
    int 0x15
    mov ax, 0x5307
    mov bx, 0x0001
    mov cx, 0x0003
    int 0x15
none:
    cli
    hlt

%include "print.inc"

text: db "Good night.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

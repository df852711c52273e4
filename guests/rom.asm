; rom: the firmware's ROM: who made it, when, for which machine
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the date, the model, the reset vector's instruction, the table of INT 15h AH=C0, and that ROM does not change
;
; Some addresses in the ROM are as old as the PC: F000:FFF0 the reset vector, FFF5 the date, FFFE the model, FC for
; a PC/AT. INT 15h AH=C0 gives a table in ES:BX: its length, model, submodel, revision and what there is. What is
; written to ROM is lost.
;
; Run:    stepvisor run guests/bin/rom.bin
; Debug:  stepvisor debug guests/bin/rom.elf
;         (gdb) x/i 0xffff0
;         (gdb) x/8c 0xffff5
;         (gdb) break-int 0x15 ah=0xc0

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    mov ax, 0xf000
    mov ds, ax
    cld
    mov si, 0xfff5
    mov cx, 8
date:
    lodsb
    call putc
    loop date
    call newline
    mov al, [0xfffe]
    call hex8
    mov al, [0xfff0]            ; EA: a far jump
    call hex8
    call newline
    mov byte [0xfff0], 0
    mov al, [0xfff0]
    call hex8                   ; still EA
    call newline
    mov ah, 0xc0
    int 0x15
    jc failed
    mov ax, [es:bx]             ; as many bytes follow
    call hex16
    mov al, [es:bx + 2]
    call hex8
    mov al, [es:bx + 3]
    call hex8
    call newline
    mov ah, 0xc1                ; the extended data area, in ES
    int 0x15
    jc failed
    mov ax, es
    call hex16
    xor ax, ax
    mov ds, ax
    mov ax, [0x40e]             ; the same
    call hex16
failed:
    cli
    hlt

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

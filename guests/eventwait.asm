; eventwait: a wait in the background: INT 15h AH=83
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: that the flag was clear at first and set in the end, and that a second wait was refused
;
; AX=8300 returns at once; bit 7 of the byte at ES:BX is set when CX:DX microseconds are over, by the real-time
; clock's periodic interrupt. Only one wait can be active. AH=86 is the same without going on meanwhile.
;
; Run:    stepvisor run guests/bin/eventwait.bin
; Debug:  stepvisor debug guests/bin/eventwait.elf
;         (gdb) watch *(char *) &flag
;         (gdb) continue
;         (gdb) bt
;         (gdb) monitor cmos

bits 16
cpu 386
global start

; Long enough for what is printed meanwhile, on any host.
MICROSECONDS equ 300000

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    cld
    mov ax, 0x8300
    mov bx, flag
    mov cx, MICROSECONDS >> 16
    mov dx, MICROSECONDS & 0xffff
    int 0x15
    jc failed
    mov al, [flag]
    call hex8                   ; 00
    mov ax, 0x8300
    int 0x15
    setc al
    call hex8                   ; 01: busy
sleep:
    hlt
    test byte [flag], 0x80
    jz sleep
    mov al, [flag]
    call hex8                   ; 80
failed:
    cli
    hlt

%include "print.inc"

flag: db 0

times 510 - ($ - $$) db 0
dw 0xaa55

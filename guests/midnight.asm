; midnight: the timer's ticks at midnight
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: that the day is over: 01, and then 00
;
; A day has 1800B0h ticks. When the BIOS's INT 08h has counted so many, it begins again at 0 and notes the day at
; 0040:0070; INT 1Ah AH=00 gives that in AL, once. So a program that asks less than once a day loses one.
;
; Run:    stepvisor run guests/bin/midnight.bin
; Debug:  stepvisor debug guests/bin/midnight.elf
;         (gdb) watch *(unsigned char *) 0x470
;         (gdb) continue
;         (gdb) x/wx 0x46c

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ah, 0x01
    mov cx, 0x0018              ; three ticks before midnight
    mov dx, 0x00ad
    int 0x1a
sleep:
    hlt
    mov ah, 0x00
    int 0x1a
    test al, al
    jz sleep
over:
    call hex8
    mov ax, cx
    call hex16                  ; and it is just past midnight
    mov ah, 0x00
    int 0x1a
    call hex8
    cli
    hlt

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

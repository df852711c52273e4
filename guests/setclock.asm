; setclock: the clock set and read by INT 1Ah: date, time of day, ticks
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the date and the time that were set, the ticks, and that another function is refused
;
; AH=05 sets the date, century CH, year CL, month DH and day DL, AH=03 the time, hour CH, minute CL and second DH,
; all in binary coded decimal; AH=04 and 02 read them. AH=01 sets the ticks since midnight to CX:DX, AH=00 reads
; them. Two clocks: one has a battery, the other is counted by the timer's interrupt.
;
; Run:    stepvisor run guests/bin/setclock.bin
; Debug:  stepvisor debug guests/bin/setclock.elf
;         (gdb) break-int 0x1a
;         (gdb) continue
;         (gdb) monitor cmos
;         (gdb) x/wx 0x46c                the ticks

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
    mov ah, 0x05
    mov cx, 0x1999
    mov dx, 0x1231
    int 0x1a
    mov ah, 0x03
    mov cx, 0x2315
    mov dx, 0x1000              ; ten seconds past, no daylight saving
    int 0x1a
    mov ah, 0x04
    int 0x1a
    jc wrong
    mov ax, cx
    call hex16
    mov ax, dx
    call hex16
    call newline
    mov ah, 0x02
    int 0x1a
    jc wrong
    mov ax, cx
    call hex16
    mov al, dl
    call hex8
    call newline

    mov ah, 0x01
    mov cx, 0x0012
    mov dx, 0x3400
    int 0x1a
    mov ah, 0x00
    int 0x1a
    mov ax, cx
    call hex16
    mov al, dh                  ; the low byte may have gone on
    call hex8
    call newline
    mov ah, 0x7f
    int 0x1a
    setc al
    call hex8                   ; 01
    cli
    hlt
wrong:
    mov al, '?'
    call putc
    cli
    hlt

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

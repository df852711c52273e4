; clock: date, time, ticks, and a wait, by the BIOS
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the date, the time of day, and how many ticks a wait of half a second took
;
; The timer interrupts 18.2 times a second. INT 08h counts at 0040:006C (which INT 1Ah AH=00 reads), and calls
; INT 1Ch, which is free for programs: this one counts there. INT 1Ah AH=02 and 04 read the real-time clock, in
; binary coded decimal; INT 15h AH=86 waits for CX:DX microseconds.
;
; Run:    stepvisor run guests/bin/clock.bin
; Debug:  stepvisor debug guests/bin/clock.elf
;         (gdb) break tick
;         (gdb) continue
;         (gdb) x/3xh $sp                 back to the BIOS, which called it
;         (gdb) monitor cmos

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
    mov ah, 0x04                ; CX year, DH month, DL day
    int 0x1a
    jc failed
    mov ax, cx
    call hex16
    mov al, '-'
    call putc
    mov al, dh
    call hex8
    mov al, '-'
    call putc
    mov al, dl
    call hex8
    mov al, ' '
    call putc
    mov ah, 0x02                ; CH hour, CL minute, DH second
    int 0x1a
    jc failed
    mov al, ch
    call hex8
    mov al, ':'
    call putc
    mov al, cl
    call hex8
    call newline

    cli
    mov word [0x1c * 4], tick
    mov word [0x1c * 4 + 2], 0
    sti
    mov ah, 0x00
    int 0x1a
    push dx                     ; the low word of the ticks
    mov ah, 0x86
    mov cx, 500000 >> 16
    mov dx, 500000 & 0xffff
    int 0x15
    jc failed
    mov ah, 0x00
    int 0x1a
    pop ax
    sub dx, ax                  ; 9, or 10 if one was due at once
    cmp dx, 9
    jb failed
    cmp dx, 10
    ja failed
    cmp [ticks], dx
    jne failed
    mov si, good
    call print
    cli
    hlt

failed:
    mov si, bad
    call print
    cli
    hlt

; INT 1Ch: DS is the BIOS's business
tick:
    inc word [cs:ticks]
    iret

%include "print.inc"

ticks: dw 0
good: db "Half a second: 9 or 10 ticks, and as many calls of INT 1Ch.", 0
bad: db "That is wrong.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

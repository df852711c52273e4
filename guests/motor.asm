; motor: a floppy's motor, which runs on after an access and is switched off by the timer
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the drives that know where their heads are, after a reset and after a read; how many ticks the motor will run
;   on; a dot for each of nine
;
; A drive takes up to a second until its disk turns fast enough, so the BIOS does not switch it off at once: INT 13h
; puts a number of ticks into 440h, and INT 08h counts it down, 18.2 times a second. A program that takes the
; timer's interrupt for itself and does not call the old handler leaves the drive's light on.
; The bits of 43Eh are the drives whose heads have been moved to cylinder 0 since the last reset.
;
; Run:    stepvisor run guests/bin/motor.bin --drive 0
; Debug:  stepvisor debug guests/bin/motor.elf --drive 0
;         (gdb) tbreak running
;         (gdb) continue
;         (gdb) x/bx 0x440
;         (gdb) watch *(unsigned char *)0x440
;         (gdb) continue                  a tick

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov dl, 0                   ; reset
    int 0x13
    mov al, [recalibrated]
    call hex8
    mov al, ' '
    call putc
    hlt                         ; a tick has just been: the next is far away
    mov ax, 0x0201
    mov cx, 0x0001
    xor dx, dx
    mov bx, buffer
    int 0x13
    jc failed
running:
    mov al, [recalibrated]
    call hex8
    mov al, ' '
    call putc
    mov al, [motor]
    call hex8
    mov byte [motor], 9         ; half a second is enough
    call newline
countdown:
    mov cx, [ticks]
.wait:
    hlt
    cmp cx, [ticks]
    je .wait
    mov al, '.'
    call putc
    cmp byte [motor], 0
    jne countdown
failed:
    cli
    hlt

%include "print.inc"

recalibrated equ 0x43e
motor equ 0x440
ticks equ 0x46c
buffer equ 0x800

times 510 - ($ - $$) db 0
dw 0xaa55

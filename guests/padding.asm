; padding: a program that runs off its end, into zeros
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: a line of text, and where the guest ended
;
; A boot sector without an end goes on into what comes behind it: zeros, which are `add [bx+si], al`, the signature
; 55 AA, which is `push bp; stosb`, and more zeros. Often nothing is to be seen of it but a machine that hangs.
; Stepvisor tells of it, at the latest when the run is over. This one has a cli and hlt put in its way.
;
; Run:    stepvisor run guests/bin/padding.bin
; Debug:  stepvisor debug guests/bin/padding.elf
;         (gdb) tbreak run_off
;         (gdb) continue
;         (gdb) stepi 3
;         (gdb) x/3i $pc

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
    mov word [0x7e50], 0xf4fa   ; cli; hlt, a little behind
    mov ax, 0x0060              ; what is added to 0060:... does no harm
    mov ds, ax
    mov es, ax
    xor ax, ax
    xor bx, bx
    xor si, si
    xor di, di
    jmp run_off

%include "print.inc"

text: db "This has no end.", 0
times 480 - ($ - $$) db 0
run_off:

times 510 - ($ - $$) db 0
dw 0xaa55

; leds: commands to the keyboard controller and to the keyboard
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: 55 and 00 of the controller's self tests; of the keyboard: echo EE, its identity FA AB 41, lights FA FA; then
;   the lights of the BIOS, 00 and 02, and FA, the last byte at port 60
;
; A byte to port 64 is a command for the 8042, one to port 60 goes to the keyboard behind it, which answers FA. AA
; and AB test the controller; EE is an echo, F2 asks for the identity, ED is followed by a byte with the lights:
; ScrollLock, NumLock, CapsLock. Before a byte is written, bit 1 of the status has to be clear; bit 0 says that one
; can be read. With interrupts off nobody else takes the answers. The translation makes 41 of the keyboard's 83.
; The BIOS sets the lights by itself, to the locks at 417, when a function of INT 16h is called: a program that turns
; on NumLock sets bit 5 there. Which lights are on is at 497.
;
; Run:    stepvisor run guests/bin/leds.bin
; Debug:  stepvisor debug guests/bin/leds.elf
;         (gdb) break command
;         (gdb) continue
;         (gdb) monitor keyboard

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    cli
    xor ax, ax
    mov ds, ax
    cld
    mov al, 0xaa
    call command
    call get                    ; 55
    call hex8
    mov al, 0xab
    call command
    call get                    ; 00
    call hex8
    mov al, 0x60                ; the test may have reset the command byte: translate, take interrupts
    call command
    mov al, 0x65
    call send
    call newline
    mov al, 0xee
    call send
    call get
    call hex8
    call newline
    mov al, 0xf2
    call send
    mov cx, 3
.identity:
    call get
    call hex8
    loop .identity
    call newline
    mov al, 0xed
    call send
    call get
    call hex8
    mov al, 0x05                ; ScrollLock and CapsLock
    call send
    call get
    call hex8
    call newline
    mov al, [0x497]
    call hex8
    or byte [0x417], 0x20       ; NumLock
    mov ah, 0x02                ; any function
    int 0x16
    mov al, [0x497]
    call hex8
    in al, 0x60
    call hex8
    hlt

; AL to the controller
command:
    call ready
    out 0x64, al
    ret

; AL to the keyboard
send:
    call ready
    out 0x60, al
    ret

ready:
    push ax
.wait:
    in al, 0x64
    test al, 0x02
    jnz .wait
    pop ax
    ret

; an answer in AL
get:
    in al, 0x64
    test al, 0x01
    jz get
    in al, 0x60
    ret

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

; hooks: handlers of the guest's own before those of the BIOS
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: HELLO, with capitals that the guest's own INT 10h makes, and that its handlers of timer and keyboard ran
;
; A program takes a vector by keeping the old one and writing its own into the table at address 0. Its handler
; does what it wants and goes on to the old one: by a far jump, or by PUSHF and a far call if it wants to see what
; that has done.
;
; Run:    stepvisor run guests/bin/hooks.bin --keys x
; Debug:  stepvisor debug guests/bin/hooks.elf
;         (gdb) tbreak loud
;         (gdb) continue
;         (gdb) monitor ivt               the handlers that are not the BIOS's

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
    cld
    cli
    mov si, 0x08 * 4            ; keep the vectors 08 and 09 in one piece
    mov di, old_timer
    movsd
    movsd
    mov si, 0x10 * 4
    mov di, old_video
    movsd
    mov dword [0x08 * 4], timer
    mov dword [0x09 * 4], keyboard
    mov dword [0x10 * 4], loud
    sti

    mov si, hello
    call print
wait_tick:
    cmp byte [ticks], 0
    je wait_tick
    xor ah, ah                  ; the BIOS's own INT 16h waits for the BIOS's own INT 09h, behind ours
    int 0x16
    call putc
    cmp byte [codes], 0
    je wrong
    mov si, both
    call print
wrong:
    cli
    hlt

; INT 08h: chains by a jump
timer:
    inc byte [cs:ticks]
    jmp far [cs:old_timer]

; INT 09h: chains by a call, which needs the flags that its IRET takes
keyboard:
    pushf
    call far [cs:old_keyboard]
    inc byte [cs:codes]
    iret

; INT 10h: letters become capitals
loud:
    cmp ah, 0x0e
    jne .go_on
    cmp al, 'a'
    jb .go_on
    cmp al, 'z'
    ja .go_on
    sub al, 'a' - 'A'
.go_on:
    jmp far [cs:old_video]

%include "print.inc"

ticks: db 0
codes: db 0
hello: db "hello", 13, 10, 0
both: db 13, 10, "timer and keyboard went through here", 0
align 4
old_timer: dd 0
old_keyboard: dd 0
old_video: dd 0

times 510 - ($ - $$) db 0
dw 0xaa55

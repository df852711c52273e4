; keybuffer: the BIOS's buffer of keys, without a keyboard
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: how many keys it takes, those that were taken out, and the offsets of head and tail
;
; The buffer is a ring in segment 40h: 41A is the offset of the next key to take, 41C where the next goes, 480 and
; 482 are where it begins and ends. It is empty when head and tail are the same, so that one of its 16 words stays
; free. INT 16h AH=05 puts CX in, AH=01 looks, AH=00 takes out.
;
; Run:    stepvisor run guests/bin/keybuffer.bin
; Debug:  stepvisor debug guests/bin/keybuffer.elf
;         (gdb) tbreak full
;         (gdb) continue
;         (gdb) monitor bda               the keys that wait
;         (gdb) x/2hx 0x41a

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
    mov ah, 0x01
    int 0x16
    setz al
    call hex8                   ; 01: empty
    call newline
    mov ax, [0x480]
    mov [0x41a], ax             ; begin at the beginning, as many programs do to clear it
    mov [0x41c], ax
    mov cx, 0x1e61              ; a, b, c and so on
fill:
    mov ah, 0x05
    int 0x16
    test al, al
    jnz full
    inc cx
    jmp fill
full:
    mov al, cl
    sub al, 0x61
    call hex8                   ; 0F
    call newline
    call ends
    mov ah, 0x01                ; the first one stays
    int 0x16
    call hex16
    mov ah, 0x00                ; and is taken
    int 0x16
    call hex16
    call newline
    call ends
    mov word [0x43e - 2], 0x4800    ; the last word of the ring is free: put a key there by hand,
    mov word [0x41c], 0x1e          ; and the tail goes round
drain:
    mov ah, 0x11
    int 0x16
    jz empty
    mov ah, 0x10
    int 0x16
    mov cx, ax
    jmp drain
empty:
    mov ax, cx
    call hex16                  ; 4800
    call newline
    call ends
    cli
    hlt

; prints head and tail
ends:
    mov ax, [0x41a]
    call hex16
    mov ax, [0x41c]
    call hex16
    jmp newline

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

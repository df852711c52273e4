; Where a condition that is false must not be in the way: a loop that waits for the timer, a repetition, an access to a
; port, an instruction that is none.
bits 16
cpu 386
global start
section .text
start:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7000
    mov word [6 * 4], invalid
    mov word [6 * 4 + 2], 0
    sti
    mov bx, [0x46c]
await:
    cmp bx, [0x46c]
    je await
waited:
    mov di, 0x600
    mov cx, 10
repeat:
    rep stosb
    out 0x80, al
behind:
    nop
wrong:
    ud2
    cli
    hlt
invalid:
    mov bp, sp
    add word [bp], 2
    iret

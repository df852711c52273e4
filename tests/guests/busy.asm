; Accesses a port over and over, for which virtual time passes, until ten interrupts of the timer have come.
org 0x7c00
    cli
    xor ax, ax
    mov ds, ax
    mov word [8 * 4], tick
    mov [8 * 4 + 2], ax
    mov al, 0x14                    ; counter 0, low byte, mode 2:
    out 0x43, al
    mov al, 119                     ; every 100 microseconds
    out 0x40, al
    sti
work:
    out 0x80, al
    cmp word [ticks], 10
    jb work
    cli
halt:
    hlt
tick:
    push ax
    inc word [ticks]
    mov al, 0x20
    out 0x20, al
    pop ax
    iret
ticks:
    dw 0

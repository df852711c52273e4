; Address line A20 by the BIOS: with it off, FFFF:0510 is 0000:0500.
org 0x7c00
    xor ax, ax
    mov ds, ax
    dec ax
    mov es, ax
    mov byte [0x500], 1
    mov byte [es:0x510], 2
    mov cl, [0x500]
    mov ax, 0x2400
    int 0x15
    mov byte [es:0x510], 3
    mov ch, [0x500]
    mov ax, 0x2401
    int 0x15
    mov dl, [es:0x510]
    cli
    hlt

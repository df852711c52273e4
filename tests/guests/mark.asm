org 0x7c00
    mov ax, 0x1234
    xchg bx, bx                 ; the author stops here
    mov ax, 0
    hlt

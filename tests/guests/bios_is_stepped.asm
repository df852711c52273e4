; One call of the BIOS, for gdb to step into and over.
org 0x7c00
    mov ax, 0x0e41
    mov bx, 0x0007
    int 0x10
    nop
    cli
    hlt

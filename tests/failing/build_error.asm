; What the assembler does not like.
org 0x7c00
    mov ax, nowhere
    hlt

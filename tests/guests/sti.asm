org 0x7c00
    mov al, 0xff                    ; no line is open
    out 0x21, al
    sti
    hlt

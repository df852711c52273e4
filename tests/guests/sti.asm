org 0x7c00
    sti
    hlt

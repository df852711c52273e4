; What a boot sector finds at its entry is looked at by gdb.
org 0x7c00
    cli
    hlt
    times 510 - ($ - $$) db 0
    dw 0xaa55

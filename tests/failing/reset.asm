; Asks the keyboard controller to reset the machine.
org 0x7c00
    mov al, 0xfe
    out 0x64, al
    hlt

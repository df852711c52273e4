; Executes the screen, which no KVM does: there is `and [bx], al`, a blank.
org 0x7c00
    jmp 0xb800:0x0000

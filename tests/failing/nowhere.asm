; Ends in memory where nothing is.
org 0x7c00
    jmp 0xa000:0x0000

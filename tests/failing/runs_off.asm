; Runs off its end; behind the signature it spins.
org 0x7c00
    mov word [0x7e10], 0xfeeb       ; jmp $
    times 510 - ($ - $$) db 0
    dw 0xaa55

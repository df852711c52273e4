; A guest that is done, and waits in a loop with interrupts enabled.
        bits 16
        org 0x7c00
        mov ax, 0x0e41
        int 0x10
idle:   hlt
        jmp idle
        times 510-($-$$) db 0
        dw 0xaa55

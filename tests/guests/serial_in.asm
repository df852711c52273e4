; Sends back in capitals what COM1 hears, up to a full stop.
        org 0x7c00

        xor dx, dx
        mov ax, 0x00e3
        int 0x14
hear:
        mov ah, 2
        int 0x14
        test ah, 0x80
        jnz hear
        cmp al, '.'
        je done
        and al, 0xdf
        mov ah, 1
        int 0x14
        jmp hear
done:
        cli
        hlt

        times 510 - ($ - $$) db 0
        dw 0xaa55

; Reads two keys by INT 16h, and prints each with the tick of the timer before which it came, as a digit.
org 0x7c00
bits 16

        mov al, [0x46c]
        mov [start], al
        mov cx, 2
key:    xor ah, ah
        int 0x16
        mov ah, 0x0e                ; the character
        xor bx, bx
        int 0x10
        mov al, [0x46c]             ; ticks of 55 ms since the start
        sub al, [start]
        add al, '0'
        int 0x10
        loop key
        cli
        hlt

start:  db 0                        ; the tick that it began in

times 510 - ($ - $$) db 0
dw 0xaa55

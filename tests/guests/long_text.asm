; One call of the BIOS that writes 400 characters, each of which scrolls the screen.
org 0x7c00
    mov bp, text
    mov ax, 0x1301
    mov bx, 0x0007
    mov cx, 400
    mov dx, 0x1800
write:
    int 0x10
done:
    mov ax, 0x0e41
    int 0x10
    cli
    hlt
text:
    times 400 db 10

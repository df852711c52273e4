; Says goodbye on the debug console and asks for the end, with a status.
org 0x7c00
    mov si, text
.next:
    lodsb
    test al, al
    jz .end
    out 0xe9, al
    jmp .next
.end:
    mov al, 0x2a
    out 0xf4, al
    hlt                         ; not reached
text db "bye", 10, 0

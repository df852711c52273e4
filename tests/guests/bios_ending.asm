; Leaves itself to the firmware in the way that HOW says.
org 0x7c00
%ifidn HOW, far
    retf
%elifidn HOW, reset
    jmp 0xffff:0x0000
%elifidn HOW, power
    mov ax, 0x5307
    mov bx, 1
    mov cx, 3
    int 0x15
%elifidn HOW, key
    mov ah, 0x10
    int 0x16
    mov ah, 0x00
    int 0x16
%else
    int HOW
%endif
    cli
    hlt

from mk import guest
guest("cursor", "the text cursor's shape and place, by the BIOS and in the CRT controller",
"a row for each shape: what was asked for, what AH=03 says, registers 0A and 0B; then places", """
INT 10h AH=01 sets the cursor's lines, CH the first and CL the last, as a CGA with its characters of 8 lines
had them; the BIOS stretches them to the 16 of a VGA. Bit 5 of CH switches the cursor off. AH=03 gives the lines back as
they were asked for, from the data area (0040:0060). AH=02 moves the cursor; the CRT controller counts its place in
cells, in registers 0E and 0F.
""", """
(gdb) break shape
(gdb) continue
(gdb) nexti
(gdb) monitor vga               the cursor as it is shown
(gdb) x/hx 0x460                as it was asked for""", """
main:
    xor ax, ax
    mov ds, ax
    cld
    mov si, shapes
next:
    lodsw
    mov cx, ax
    call hex16
    call space
    mov ah, 0x01
shape:
    int 0x10
    mov ah, 0x03
    mov bh, 0
    int 0x10
    mov ax, cx
    call hex16
    call space
    mov ax, 0x0b0a              ; the two registers
    call registers
    call newline
    cmp si, shapes_end
    jb next

    mov ah, 0x02                ; row 12, column 40
    mov bh, 0
    mov dx, 0x0c28
    int 0x10
    mov bx, 0x0e0f
    mov ax, bx
    call get                    ; AX = 12 * 80 + 40
    mov dx, 0x0700              ; row 7, at the left
    call at
    call hex16
    call space
    mov ax, 0x0e0f              ; behind what was printed
    call get
    call hex16
    cli
    hlt

; prints the CRT controller's registers AL and AH
registers:
    xchg al, ah
    call get
    jmp hex16

; reads the CRT controller's register AH into AH, and AL into AL
get:
    push dx
    mov dx, 0x3d4
    push ax
    out dx, al
    inc dx
    in al, dx
    mov ah, al
    pop dx
    xchg al, dh                 ; the other one; what was read waits in AH
    push ax
    mov dx, 0x3d4
    mov al, dh
    pop ax
    out dx, al
    inc dx
    push ax
    in al, dx
    pop dx
    mov ah, al
    mov al, dh
    pop dx
    ret
""", data="")

; cursor: the text cursor's shape and place, by the BIOS and in the CRT controller
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: a row for each shape: as asked for, as AH=03 says, registers 0A and 0B; then two places, from registers 0E and 0F
;
; INT 10h AH=01 sets the cursor's lines, CH the first and CL the last, as a CGA with its characters of 8 lines had
; them; the BIOS stretches them to the 16 of a VGA. Bit 5 of CH switches the cursor off. AH=03 gives the lines back
; as they were asked for, from the data area (0040:0060). AH=02 moves the cursor; the CRT controller counts its
; place in cells.
;
; Run:    stepvisor run guests/bin/cursor.bin
; Debug:  stepvisor debug guests/bin/cursor.elf
;         (gdb) break shape
;         (gdb) continue
;         (gdb) nexti
;         (gdb) monitor vga               the cursor as it is shown
;         (gdb) x/hx 0x460                as it was asked for

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

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
    mov al, 0x0a
    call pair
    call newline
    cmp si, shapes_end
    jb next

    mov dx, 0x0c28              ; row 12, column 40
    call move
    mov al, 0x0e
    call pair                   ; 12 * 80 + 40 is 03E8, and two cells on when the first byte has been printed: 03EA
    mov dx, 0x0700              ; row 7, at the left
    call move
    mov dx, 0x3d4
    mov al, 0x0e
    out dx, al
    inc dx
    in al, dx
    mov bl, al
    dec dx
    mov al, 0x0f
    out dx, al
    inc dx
    in al, dx
    mov ah, bl
    call hex16                  ; 7 * 80 is 0230
    cli
    hlt

; moves the cursor to row DH, column DL
move:
    mov ah, 0x02
    mov bh, 0
    int 0x10
    ret

; prints the CRT controller's registers AL and AL + 1
pair:
    call .one
.one:
    push ax
    mov dx, 0x3d4
    out dx, al
    inc dx
    in al, dx
    call hex8
    pop ax
    inc ax
    ret

space:
    push ax
    mov al, ' '
    call putc
    pop ax
    ret

%include "print.inc"

shapes:
    dw 0x0607                   ; a line at the bottom, as after power-on
    dw 0x0007                   ; all of the cell
    dw 0x0003                   ; its upper half
    dw 0x2000                   ; none
    dw 0x0e0f                   ; lines of the VGA itself
shapes_end:

times 510 - ($ - $$) db 0
dw 0xaa55

; mode13h: 320x200 pixels of 256 colours, a byte each, without a BIOS
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics mode 13h: on black, 16 by 16 squares of 8 by 8 pixels, a colour each; red grows to the right, green
;         downwards, and blue with both
;
; With a BIOS this mode is `mov ax, 0x13` and `int 0x10`. What that does is here: some sixty registers are written, and
; the DAC gets its 256 colours. From then on the pixel in column X of row Y is the byte at A000:(320 * Y + X).
;
; Debug:  stepvisor debug guests/bin/mode13h.elf
;         (gdb) monitor vga               text, mode 3
;         (gdb) break draw
;         (gdb) continue
;         (gdb) monitor vga               mode 13h now, and video memory at A0000
;         (gdb) x/8bx 0xa0000             the first eight pixels: nothing yet
;         (gdb) watch *(char *)0xa0a08    the second square of the second row of squares
;         (gdb) continue
;         (gdb) monitor screen mode13h.png

bits 16
cpu 386
global start

MISC_OUTPUT equ 0x3c2
SEQUENCER   equ 0x3c4
GRAPHICS    equ 0x3ce
CRTC        equ 0x3d4
STATUS      equ 0x3da
ATTRIBUTE   equ 0x3c0
DAC_WRITE   equ 0x3c8           ; number of the colour to be written next
DAC_DATA    equ 0x3c9           ; its red, green and blue, 6 bits each

COLUMNS     equ 320
SQUARE      equ 8               ; pixels

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    cld

    mov si, registers
    call set_mode

colours:                        ; number GR (a hex digit each): red R, green G, blue R AND G
    mov dx, DAC_WRITE
    xor al, al
    out dx, al
    inc dx
    xor bl, bl
.next:
    mov al, bl
    and al, 0x0f
    shl al, 2                   ; 4 bits to 6
    mov ah, al
    out dx, al
    mov al, bl
    shr al, 2
    and al, 0x3c
    out dx, al
    and al, ah
    out dx, al
    inc bl
    jnz .next

clear:                          ; what was the memory of text is not blank
    mov ax, 0xa000
    mov es, ax
    xor eax, eax
    xor di, di
    mov cx, COLUMNS * 200 / 4
    rep stosd

draw:
    xor di, di
    xor dl, dl                  ; the colour
.squares:
    mov bh, SQUARE              ; the rows of pixels of 16 squares
.row:
    mov bl, 16
.square:
    mov al, dl
    mov ah, al
    mov cx, SQUARE / 2
    rep stosw
    inc dl
    dec bl
    jnz .square
    sub dl, 16
    add di, COLUMNS - 16 * SQUARE
    dec bh
    jnz .row
    add dl, 16
    jnz .squares

halt:
    cli
    hlt
    jmp halt

; Sets the mode whose registers are at SI. Port pairs take an index and a value, here at once, as the low and the
; high half of a word.
set_mode:
    mov dx, MISC_OUTPUT
    lodsb
    out dx, al
    mov dx, SEQUENCER
    mov ax, 0x0100              ; index 0, value 1: stop it while its clock changes
    out dx, ax
    mov ax, 1                   ; registers 1 to 4
    mov cx, 4
    call write_registers
    mov ax, 0x0300              ; and let it run again
    out dx, ax
    mov dx, CRTC
    mov ax, 0x0e11              ; register 11h, bit 7 clear: registers 0-7 can be written
    out dx, ax
    xor ax, ax
    mov cx, 25
    call write_registers
    mov dx, GRAPHICS
    xor ax, ax
    mov cx, 9
    call write_registers
    mov dx, STATUS
    in al, dx                   ; the attribute controller expects an index next
    mov dx, ATTRIBUTE
    xor bx, bx
.next:
    mov al, bl                  ; it has one port for both, in turn
    out dx, al
    lodsb
    out dx, al
    inc bx
    cmp bl, 21
    jb .next
    mov al, 0x20                ; bit 5 of the index: show the picture
    out dx, al
    ret

; Writes CX registers from number AL on, with the bytes at SI, through the pair of ports at DX.
write_registers:
    mov ah, [si]
    inc si
    out dx, ax
    inc al
    loop write_registers
    ret

; Every register of the mode, as the IBM VGA reference gives them for the BIOS: misc output, sequencer, CRT
; controller, graphics controller, attribute controller.
registers:
    db 0x63                     ; misc output
    db 0x01, 0x0f, 0x00, 0x0e   ; sequencer 1-4
    db 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f
    db 0x41, 0x00, 0x0f, 0x00, 0x00

    times 510-($-$$) db 0
    dw 0xaa55

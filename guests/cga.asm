; cga: 320x200 pixels of four colours as on a CGA, with even and odd rows in different places
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics mode 4: bars of 80 pixels in black, cyan, magenta and white over the upper 20 rows, the same in reverse
;         over the next 20; every second row of those is black
;
; Four pixels are a byte, the leftmost in the two highest bits. The rows 0, 2, 4... are at B8000, 80 bytes each, the rows
; 1, 3, 5... from BA000 on. For the CPU it is all one memory, though the VGA keeps even and odd bytes in two planes, and
; makes the pixels of both.
;
; Debug:  stepvisor debug guests/bin/cga.elf
;         (gdb) break halt
;         (gdb) continue
;         (gdb) x/4bx 0xb8014             where cyan begins
;         (gdb) monitor screen cga.png

bits 16
cpu 386
global start

MISC_OUTPUT equ 0x3c2
SEQUENCER   equ 0x3c4
GRAPHICS    equ 0x3ce
CRTC        equ 0x3d4
STATUS      equ 0x3da
ATTRIBUTE   equ 0x3c0

ROW         equ 320 / 4         ; bytes
ODD_ROWS    equ 0x2000
HEIGHT      equ 20

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
    mov ax, 0xb800
    mov es, ax

clear:                          ; there are 16 KiB, of which 192 bytes are not shown
    xor eax, eax
    xor di, di
    mov cx, 0x4000 / 4
    rep stosd

bars:
    xor bx, bx
    mov bp, HEIGHT / 2
.row:
    mov si, colours
    mov di, bx
    call four_bars
    lea di, [bx + ODD_ROWS]
    mov si, colours
    call four_bars
    add bx, ROW
    dec bp
    jnz .row

reverse:
    mov bp, HEIGHT / 2
.row:
    mov si, backwards
    mov di, bx
    call four_bars
    add bx, ROW
    dec bp
    jnz .row

halt:
    cli
    hlt
    jmp halt

; A row at ES:DI of four bars, of the bytes at SI.
four_bars:
    mov dl, 4
.bar:
    lodsb
    mov cx, ROW / 4
    rep stosb
    dec dl
    jnz .bar
    ret

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

colours:
    db 0b00_00_00_00, 0b01_01_01_01, 0b10_10_10_10, 0b11_11_11_11
backwards:
    db 0b11_11_11_11, 0b10_10_10_10, 0b01_01_01_01, 0b00_00_00_00

; The registers of mode 4. Only the palette differs from the BIOS's, which loads other colours into the DAC as well.
registers:
    db 0x63                     ; misc output
    db 0x09, 0x03, 0x00, 0x02   ; sequencer 1-4
    db 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0f, 0x0f, 0xff
    db 0x00, 0x3b, 0x3d, 0x3f, 0x02, 0x04, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
    db 0x01, 0x00, 0x03, 0x00, 0x00

    times 510-($-$$) db 0
    dw 0xaa55

; planar: 640x480 pixels of 16 colours in four planes, and what the graphics controller does between CPU and memory
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics mode 12h, on black; from the left at the top, each 16 rows high: a bar of 64 pixels in each of the colours
;         1 to 7; beneath it the same again, copied, and turned to the colours 14 to 8 by XOR; below, a white dotted line,
;         and a row of 8 red pixels, every second one bright cyan
; console: FF00AA, what the reads gave
;
; Each pixel has a bit in each of four planes, and all four are at the same address: 80 bytes a row, bit 7 the
; leftmost pixel. A write reaches all planes at once, and what arrives is decided by the graphics controller: the write
; mode, set/reset, a function, the bit mask, and the latches, which hold what the last read found in the four planes.
;
; Debug:  stepvisor debug guests/bin/planar.elf
;         (gdb) break copy
;         (gdb) continue
;         (gdb) monitor vga               planar; graphics controller register 5 is the mode, 8 the bit mask
;         (gdb) x/8bx 0xa0000             what the CPU would read: plane 0
;         (gdb) stepi 12
;         (gdb) monitor vga               the latches
;         (gdb) monitor screen planar.png

bits 16
cpu 386
global start

MISC_OUTPUT equ 0x3c2
SEQUENCER   equ 0x3c4
GRAPHICS    equ 0x3ce
CRTC        equ 0x3d4
STATUS      equ 0x3da
ATTRIBUTE   equ 0x3c0

MAP_MASK    equ 2               ; register of the sequencer
SET_RESET   equ 0               ; registers of the graphics controller
ENABLE      equ 1
COMPARE     equ 2
FUNCTION    equ 3
MODE        equ 5
BIT_MASK    equ 8
XOR_LATCHES equ 0x18

ROW         equ 640 / 8         ; bytes
HEIGHT      equ 16              ; rows of a bar
CONSOLE     equ 0xe9

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
    mov ax, 0xa000
    mov es, ax
    mov ds, ax                  ; nothing in the boot sector is read from here on

clear:                          ; what was the memory of text is not blank
    xor eax, eax
    xor di, di
    mov cx, 480 * ROW / 4
    rep stosd

bars:                           ; write mode 2: the byte is a colour
    mov dx, GRAPHICS
    mov ax, 0x0200 | MODE
    out dx, ax
    xor bx, bx
    mov bp, HEIGHT
.row:
    mov di, bx
    mov al, 1
.bar:
    mov cx, 8                   ; 8 bytes, 64 pixels
    rep stosb
    inc al
    cmp al, 8
    jb .bar
    add bx, ROW
    dec bp
    jnz .row

copy:                           ; write mode 1: a read fills the latches, a write empties them, four planes at once
    mov ax, 0x0100 | MODE
    out dx, ax
    xor si, si
    mov di, bx
    mov cx, HEIGHT * ROW
    rep movsb

invert:                         ; write mode 0 with XOR: what is there, turned round by all ones
    mov ax, 0x0000 | MODE
    out dx, ax
    mov ax, (XOR_LATCHES << 8) | FUNCTION
    out dx, ax
    mov di, bx
    mov cx, HEIGHT
.row:
    push cx
    mov cx, 56                  ; the seven bars
.byte:
    mov al, 0xff
    xchg al, [di]               ; reads, then writes
    inc di
    loop .byte
    add di, ROW - 56
    pop cx
    loop .row
    mov ax, FUNCTION
    out dx, ax

dots:                           ; write mode 0 with a bit mask: every second pixel
    mov ax, 0xaa00 | BIT_MASK
    out dx, ax
    mov cx, 56
.byte:
    mov al, 0xff
    xchg al, [di]               ; the others stay as the latches have them: hence the read
    inc di
    loop .byte
    mov ax, 0xff00 | BIT_MASK
    out dx, ax

red:                            ; set/reset: a colour for whatever is written
    mov ax, 0x0400 | SET_RESET
    out dx, ax
    mov ax, 0x0f00 | ENABLE
    out dx, ax
    mov di, 50 * ROW
    mov [di], al

cyan:                           ; write mode 3: set/reset where the byte has ones
    mov ax, 0x0b00 | SET_RESET
    out dx, ax
    mov ax, 0x0300 | MODE
    out dx, ax
    mov al, [di]                ; the latches: what stays
    mov al, 0x55
    mov [di], al

reads:
    mov ax, 0x0000 | MODE       ; read mode 0: a plane
    out dx, ax
    mov al, [0]                 ; of plane 0, colour 1: FF
    call hex
    mov al, [8]                 ; colour 2: 00
    call hex
    mov ax, 0x0800 | MODE       ; read mode 1: where is this colour?
    out dx, ax
    mov ax, 0x0400 | COMPARE
    out dx, ax
    mov al, [di]                ; red: AA
    call hex

halt:
    cli
    hlt
    jmp halt

; Writes AL to the console as two hex digits.
hex:
    mov ah, al
    shr al, 4
    call .digit
    mov al, ah
    and al, 0x0f
.digit:
    cmp al, 10
    sbb al, 0x69
    das                         ; 0-9 and A-F, a well-known trick
    out CONSOLE, al
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

; Every register of the mode, as the IBM VGA reference gives them for the BIOS: misc output, sequencer, CRT
; controller, graphics controller, attribute controller.
registers:
    db 0xe3                     ; misc output
    db 0x01, 0x0f, 0x00, 0x06   ; sequencer 1-4
    db 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
    db 0x01, 0x00, 0x0f, 0x00, 0x00

    times 510-($-$$) db 0
    dw 0xaa55

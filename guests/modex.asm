; modex: 320x240 square pixels of 256 colours in four planes, two pages, and flipping between them
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: graphics, 320x240 pixels: on the upper 16 rows stripes one pixel wide, in green, red, blue and white; on the next 16
;         black and yellow halves; the rest is black
;
; Mode 13h wastes three quarters of the memory: it uses a byte of each four. "Mode X", which no BIOS has, switches that
; off ("unchained"). A pixel is in plane X mod 4, at the address 80 * Y + X / 4; the map mask says which planes a write goes
; to, so that one write can set four pixels. 76,800 pixels take 19,200 addresses, so that three pages fit, and the
; start address chooses the one that is shown: drawing goes on unseen on another.
;
; Debug:  stepvisor debug guests/bin/modex.elf
;         (gdb) break flip
;         (gdb) continue                  the second page is complete, the first, blank one is shown
;         (gdb) monitor vga               `unchained`, the picture begins at 0000
;         (gdb) monitor screen before.png
;         (gdb) break halt
;         (gdb) continue
;         (gdb) monitor vga               it begins at 4B00

bits 16
cpu 386
global start

MISC_OUTPUT equ 0x3c2
SEQUENCER   equ 0x3c4
GRAPHICS    equ 0x3ce
CRTC        equ 0x3d4
STATUS      equ 0x3da
ATTRIBUTE   equ 0x3c0
DAC_WRITE   equ 0x3c8

MAP_MASK    equ 2               ; register of the sequencer
START_HIGH  equ 0x0c            ; registers of the CRT controller
START_LOW   equ 0x0d

ROW         equ 320 / 4         ; addresses
PAGE        equ ROW * 240       ; addresses of a page

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

colours:                        ; 0 black, 1 green, 2 red, 3 blue, 4 white, 5 yellow
    mov dx, DAC_WRITE
    xor al, al
    out dx, al
    inc dx
    mov si, palette
    mov cx, palette_end - palette
    rep outsb

clear:                          ; both pages: all planes at once, four pixels a byte
    mov dx, SEQUENCER
    mov ax, 0x0f00 | MAP_MASK
    out dx, ax
    xor eax, eax
    xor di, di
    mov cx, 2 * PAGE / 4
    rep stosd

stripes:                        ; on the second page: colour N + 1 to plane N
    mov bx, 0x0101              ; BH the plane's bit, BL the colour
.plane:
    mov ah, bh
    mov al, MAP_MASK
    out dx, ax
    mov al, bl
    mov di, PAGE
    mov cx, 16 * ROW
    rep stosb
    inc bl
    shl bh, 1
    test bh, 0x0f
    jnz .plane

halves:                         ; a byte to two planes at once
    mov ax, 0x0c00 | MAP_MASK
    out dx, ax
    mov al, 5
    mov cx, 16 * ROW
    rep stosb

flip:
    mov dx, CRTC
    mov ax, (PAGE & 0xff00) | START_HIGH
    out dx, ax
    mov ax, (PAGE & 0xff) << 8 | START_LOW
    out dx, ax

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

palette:
    db 0, 0, 0, 0, 63, 0, 63, 0, 0, 0, 0, 63, 63, 63, 63, 63, 63, 0
palette_end:

; As in mode 13h, but: 480 lines (misc output, vertical timing), each row on two of them, no chain 4 (sequencer
; register 4), no doubleword addresses (CRT controller 14h and 17h).
registers:
    db 0xe3                     ; misc output
    db 0x01, 0x0f, 0x00, 0x06   ; sequencer 1-4
    db 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0d, 0x3e, 0x00, 0x41, 0x00, 0x00, 0x00
    db 0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x06, 0xe3, 0xff
    db 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff
    db 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f
    db 0x41, 0x00, 0x0f, 0x00, 0x00

    times 510-($-$$) db 0
    dw 0xaa55

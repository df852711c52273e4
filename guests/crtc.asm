; crtc: the CRT controller in text mode: the cursor's place and shape, scrolling without a copy, a split screen
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 0 is `third row`, row 1 `fourth row`; from row 20 on are all four rows, split off from what is above; the
;         cursor, a whole cell, is behind the upper `fourth row`
;
; The adapter fetches the cells of the screen from an address counter, which begins each picture at the start address
; (registers 0Ch and 0Dh) and counts cells. Adding 160 to it scrolls by two rows, and nothing is copied. From the line in
; the line compare register on, the picture starts again at the address 0: a status line that does not scroll. The cursor
; is where the counter meets the registers 0Eh and 0Fh, in the lines that 0Ah and 0Bh say.
;
; Debug:  stepvisor debug guests/bin/crtc.elf
;         (gdb) break scroll
;         (gdb) continue
;         (gdb) monitor screen            the four rows
;         (gdb) break split
;         (gdb) continue
;         (gdb) monitor screen            scrolled by two
;         (gdb) monitor vga               the picture begins at 00A0

bits 16
cpu 386
global start

CRTC         equ 0x3d4
MAXIMUM_SCAN equ 0x09
CURSOR_START equ 0x0a
CURSOR_END   equ 0x0b
START_HIGH   equ 0x0c
START_LOW    equ 0x0d
CURSOR_HIGH  equ 0x0e
CURSOR_LOW   equ 0x0f
OVERFLOW     equ 0x07
LINE_COMPARE equ 0x18

COLUMNS      equ 80
COLOR        equ 0x0e           ; yellow
CURSOR       equ 3 * COLUMNS + 10
SPLIT        equ 20 * 16 - 1    ; the last line above the split; rows are 16 lines high

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

    mov ax, 0xb800
    mov es, ax

rows:
    mov si, text
    mov ah, COLOR
    mov bx, 4
    xor di, di
.row:
    push di
.next:
    lodsb
    or al, al
    jz .end
    stosw
    jmp .next
.end:
    pop di
    add di, COLUMNS * 2
    dec bx
    jnz .row

cursor:
    mov dx, CRTC
    mov ax, 0x0000 | CURSOR_START   ; from line 0 to 15: the whole cell
    out dx, ax
    mov ax, 0x0f00 | CURSOR_END
    out dx, ax
    mov ax, (CURSOR & 0xff00) | CURSOR_HIGH
    out dx, ax
    mov ax, (CURSOR & 0xff) << 8 | CURSOR_LOW
    out dx, ax

scroll:
    mov ax, ((2 * COLUMNS) & 0xff00) | START_HIGH
    out dx, ax
    mov ax, ((2 * COLUMNS) & 0xff) << 8 | START_LOW
    out dx, ax

split:                          ; a line number has ten bits, in three registers
    mov ax, (SPLIT & 0xff) << 8 | LINE_COMPARE
    out dx, ax
    mov al, OVERFLOW            ; bit 8 is bit 4 here, the only one that is not protected
    call read
    or al, 0x10
    mov ah, al
    mov al, OVERFLOW
    out dx, ax
    mov al, MAXIMUM_SCAN        ; bit 9 is bit 6 here
    call read
    and al, ~0x40
    mov ah, al
    mov al, MAXIMUM_SCAN
    out dx, ax

halt:
    cli
    hlt
    jmp halt

; Reads register AL of the CRT controller at DX into AL.
read:
    out dx, al
    inc dx
    in al, dx
    dec dx
    ret

text:
    db 'first row', 0, 'second row', 0, 'third row', 0, 'fourth row', 0

    times 510-($-$$) db 0
    dw 0xaa55

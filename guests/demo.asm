; demo: the guest built into the binary, a page that says what Stepvisor is
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: a framed page in sixteen colours
;
; It runs with CS = DS = 07C0, as `cs07c0` explains: offsets within the segment are OFFSET(label).
; The page is a list of texts, each with its row, column and colour; frame and colour bars are drawn by
; loops. The characters of the frame are those of code page 437, the PC's own.
;
; It is longer than a sector, so it carries no boot signature: a BIOS would load its first part only.
;
; Run:    stepvisor run --demo
; Debug:  stepvisor debug guests/bin/demo.elf
;         (gdb) break draw_text
;         (gdb) continue                  as often as you like, then: monitor screen

bits 16
cpu 386
global start

CODE      equ 0x07c0            ; 07C0 * 16 = 7C00
VIDEO     equ 0xb800            ; segment of colour text memory, linear B8000
COLUMNS   equ 80
ROWS      equ 25
ROW_BYTES equ COLUMNS * 2

DESKTOP   equ 0x08              ; dark grey on black
FRAME     equ 0x1b              ; light cyan on blue
TITLE     equ 0x1f              ; white on blue
PLAIN     equ 0x17              ; light grey on blue
COMMAND   equ 0x1e              ; yellow on blue
PLACE     equ 0x1a              ; light green on blue

LEFT      equ 3                 ; the frame, all four edges included
TOP       equ 1
WIDTH     equ 74
HEIGHT    equ 23

BARS_ROW  equ 19
BARS_LEFT equ 8
BAR_WIDTH equ 4

LIGHT_SHADE equ 0xb0            ; CP437
FULL_BLOCK  equ 0xdb

%define OFFSET(label) ((label) - start)
%define CELL(row, column) ((row) * ROW_BYTES + (column) * 2)

section .text
start:
    jmp CODE:OFFSET(main)

main:
    cli
    mov ax, cs
    mov ds, ax
    xor ax, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, VIDEO
    mov es, ax
    cld

draw_desktop:
    xor di, di
    mov ax, DESKTOP << 8 | LIGHT_SHADE
    mov cx, ROWS * COLUMNS
    rep stosw

draw_frame:                     ; a top edge, rows with nothing between the sides, a bottom edge
    mov di, CELL(TOP, LEFT)
    mov si, OFFSET(top_edge)
    call draw_edge
    mov bp, HEIGHT - 2
.row:
    mov si, OFFSET(sides)
    call draw_edge
    dec bp
    jnz .row
    mov si, OFFSET(bottom_edge)
    call draw_edge

draw_texts:
    mov si, OFFSET(page)
.next:
    cmp byte [si], END_OF_PAGE
    je draw_bars
    call draw_text
    jmp .next

draw_bars:                      ; a bar for each colour, with its number below
    mov di, CELL(BARS_ROW, BARS_LEFT)
    mov bx, OFFSET(digits)
    xor dx, dx                  ; DL: the colour
.next:
    mov al, FULL_BLOCK
    mov ah, FRAME & 0xf0        ; the background stays
    or ah, dl
    push di
    mov cx, BAR_WIDTH
    rep stosw
    pop di
    push di
    add di, ROW_BYTES           ; a second row
    mov cx, BAR_WIDTH
    rep stosw
    pop di
    mov al, dl
    xlatb                       ; AL = DS:[BX + AL], the hex digit
    mov ah, PLAIN
    mov [es:di + 2 * ROW_BYTES + 2], ax
    add di, BAR_WIDTH * 2
    inc dl
    cmp dl, 16
    jb .next

halt:
    cli
    hlt
    jmp halt

; Draws a row of the frame at ES:DI: the first, the repeated and the last character are at DS:SI.
; Moves DI to the next row. Changes AX, CX, SI.
draw_edge:
    mov ah, FRAME
    lodsb
    stosw
    lodsb
    mov cx, WIDTH - 2
    rep stosw
    lodsb
    stosw
    add di, ROW_BYTES - WIDTH * 2
    ret

; Draws the text at DS:SI: a byte each for row, column and colour, the characters, a zero byte.
; Leaves SI behind it. Changes AX, DI.
draw_text:
    lodsb                       ; the row
    mov ah, ROW_BYTES
    mul ah                      ; AX = AL * AH
    mov di, ax
    lodsb                       ; the column
    xor ah, ah
    add di, ax
    add di, ax                  ; twice: a cell is two bytes
    lodsb                       ; the colour
    mov ah, al
.next:
    lodsb
    test al, al
    jz .end
    stosw
    jmp .next
.end:
    ret

top_edge:
    db 0xc9, 0xcd, 0xbb         ; double lines: corner, edge, corner
sides:
    db 0xba, ' ', 0xba
bottom_edge:
    db 0xc8, 0xcd, 0xbc

digits:
    db "0123456789ABCDEF"

END_OF_PAGE equ 0xff

%macro text 4+                  ; row, column, colour, characters
    db %1, %2, %3, %4, 0
%endmacro

page:
    text 1, 34, TITLE, " Stepvisor "
    text 3, 8, TITLE, "A hypervisor you debug with gdb."
    text 5, 8, PLAIN, "A guest drew this page: a 16-bit program in real mode with"
    text 6, 8, PLAIN, "CS = 07C0, on a virtual processor of Linux KVM. Stepvisor plays"
    text 7, 8, PLAIN, "the rest of the PC and shows the guest's text memory, B8000h."
    text 9, 8, PLAIN, "Now your own boot sector, or whatever else runs before there is"
    text 10, 8, PLAIN, "an operating system:"
    text 12, 10, COMMAND, "stepvisor run boot.bin"
    text 12, 40, PLAIN, "boot it and see its screen"
    text 13, 10, COMMAND, "stepvisor debug boot.elf"
    text 13, 40, PLAIN, "the same, stopped in gdb"
    text 14, 10, COMMAND, "stepvisor gdbserver boot.bin"
    text 14, 40, PLAIN, "wait for a gdb of your own"
    text 16, 8, PLACE, "Break, step and inspect from the first instruction on, at any CS."
    text 23, 32, FRAME, 0xb5, " end: cli; hlt ", 0xc6
    db END_OF_PAGE

; scroll: video memory as memory: filling, scrolling, reading back, accesses of every width
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: rows 0-21 are full rows of the letters D to Y; rows 22 and 23 hold the results of the dword and
;         the unaligned accesses; row 24 reports what was read back
;
; Text memory is 25 rows of 80 cells of two bytes, at B8000. It behaves like RAM: it can be read, copied
; within itself, and accessed by bytes, words and dwords at any address. Scrolling by one row is a copy
; of rows 1-24 to rows 0-23: one instruction, `rep movsw`, with source and destination both in video
; memory. For a VMM that plays the adapter each word is a read and a write.
;
; Debug:  stepvisor debug guests/bin/scroll.elf
;         (gdb) break scroll
;         (gdb) continue                  all rows filled, A to Y
;         (gdb) monitor screen
;         (gdb) x/2hx 0xb8000             the first two cells, 0141: blue A
;         (gdb) continue                  scrolled once
;         (gdb) x/2hx 0xb8000             0242: green B

bits 16
cpu 386
global start

VIDEO     equ 0xb800
COLUMNS   equ 80
ROWS      equ 25
ROW_BYTES equ COLUMNS * 2
COLOR     equ 0x0f              ; of the report
SCROLLS   equ 3                 ; how often to scroll

%define CELL(row, column) ((row) * ROW_BYTES + (column) * 2)

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, VIDEO
    mov ds, ax                  ; movs reads DS:SI and writes ES:DI: both are the screen
    mov es, ax
    cld

fill:                           ; row n: the letter 'A' + n, in the colour n + 1
    xor di, di
    mov ax, 0x0141              ; a blue 'A'
.row:
    mov cx, COLUMNS
    rep stosw
    inc al
    inc ah
    and ah, 0x0f                ; sixteen colours on black
    jnz .visible
    inc ah                      ; but never black
.visible:
    cmp al, 'A' + ROWS
    jb .row

    mov bp, SCROLLS
scroll:
    mov si, CELL(1, 0)
    mov di, CELL(0, 0)
    mov cx, (ROWS - 1) * COLUMNS
    rep movsw                   ; DI is below SI, so upwards is the right direction
    mov ax, 0x0720              ; DI is now at the last row: clear it
    mov cx, COLUMNS
    rep stosw
    dec bp
    jnz scroll

; Rows 22, 23 and 24 are empty now. A dword is two cells:
dword_access:
    mov dword [CELL(22, 0)], 0x2f6b2f6f ; "ok", white on green
    mov eax, [CELL(22, 0)]
    mov [CELL(22, 4)], eax      ; and a copy of it

; A word at an odd address is the colour of one cell and the character of the next:
unaligned_access:
    mov word [CELL(23, 0) + 1], 0x2a4f ; cell 0 white on red, character of cell 1 '*'
    mov dword [CELL(23, 4) + 1], 0x3d1f3c1e ; cells 4, 5 coloured, '<' in cell 5, '=' in cell 6
    mov bx, [CELL(23, 0) + 1]   ; read back
    mov edx, [CELL(23, 4) + 1]

read_back:
    mov cl, [CELL(0, 79)]       ; the last character of the top row
    xor ax, ax
    mov ds, ax                  ; our text is in segment 0
    mov di, CELL(24, 0)
    mov si, text_top
    call print
    mov al, cl
    stosw
    mov si, text_word
    call print
    mov cx, 4
    shl ebx, 16                 ; print_digits begins at the upper end
    call print_digits
    mov si, text_dword
    call print
    mov ebx, edx
    mov cx, 8
    call print_digits

halt:
    cli
    hlt
    jmp halt

; Writes the text at DS:SI, which ends with a zero byte, to ES:DI. Changes AL, sets AH to the colour.
print:
    mov ah, COLOR
.next:
    lodsb
    test al, al
    jz .end
    stosw
    jmp .next
.end:
    ret

; Writes the CX upper hex digits of EBX in the colour AH to ES:DI. Changes AL, EBX, CX.
print_digits:
    rol ebx, 4
    mov al, bl
    and al, 0x0f
    cmp al, 10
    jb .decimal
    add al, 'A' - '0' - 10
.decimal:
    add al, '0'
    stosw
    loop print_digits
    ret

text_top:
    db "Top row: ", 0
text_word:
    db "  odd word: ", 0
text_dword:
    db "  odd dword: ", 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

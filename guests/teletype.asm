; teletype: text by INT 10h: characters that move the cursor on, control characters, a string, a window that scrolls
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: "AB" and a star in row 0, a yellow string in row 2, a blue window whose text moved up by a row
;
; Debug:  stepvisor debug guests/bin/teletype.elf
;         (gdb) break string
;         (gdb) continue
;         (gdb) x/2bx 0x450                the cursor of page 0: column, row
;         (gdb) nexti                      over INT 10h

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, 0x0003              ; AH=00: mode 3, which clears the screen
    int 0x10

teletype:
    mov si, text
    mov bx, 0x0007              ; page 0; the colour counts in graphics modes only
.next:
    lodsb
    test al, al
    jz string
    mov ah, 0x0e
    int 0x10
    jmp .next

string:
    mov ax, 0x1301              ; AH=13, AL=1: one attribute for all, and the cursor moves
    mov bx, 0x000e
    mov cx, string_end - words
    mov dx, 0x0203              ; row 2, column 3
    mov bp, words
    int 0x10

window:
    mov ax, 0x0600              ; AH=06: scroll up, AL=0: clear it all
    mov bh, 0x1f                ; white on blue
    mov cx, 0x0502              ; from row 5, column 2
    mov dx, 0x080d              ; to row 8, column 13
    int 0x10
    mov ah, 0x02                ; the cursor into it
    mov bh, 0
    mov dx, 0x0604
    int 0x10
    mov ax, 0x0978              ; AH=09: "x" five times, and the cursor stays
    mov bx, 0x001e
    mov cx, 5
    int 0x10
    mov ax, 0x0601              ; up by one row
    mov bh, 0x1f
    mov cx, 0x0502
    mov dx, 0x080d
    int 0x10
    mov ah, 0x02                ; back to what has just moved: what is there?
    mov bh, 0
    mov dx, 0x0504
    int 0x10
    mov ah, 0x08
    int 0x10                    ; AX = 1E78h
    mov [found], ax
    mov ah, 0x03                ; AH=03: cursor and shape
    int 0x10
    mov [cursor], dx

halt:
    cli
    hlt
    jmp halt

text:       db "ABC", 8, "*", 13, 10, 7, 0      ; a backspace, so that the star takes the place of C
words:      db "by AH=13"
string_end:
found:      dw 0
cursor:     dw 0

    times 510-($-$$) db 0
    dw 0xaa55

; windows: INT 10h in 40 columns: windows that scroll up and down, characters with and without attribute
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: 40 columns: a blue and a green window, one scrolled up and one down, a row of stars in their colours
;
; AH=06 scrolls the window from CH, CL to DH, DL up by AL rows, AH=07 down; what comes in is blank with the
; attribute BH. AL=0 clears. AH=09 writes CX characters AL with the attribute BL, AH=0A without: those that are
; there stay. AH=08 reads one.
;
; Run:    stepvisor run guests/bin/windows.bin
; Debug:  stepvisor debug guests/bin/windows.elf
;         (gdb) break-int 0x10 ah=7
;         (gdb) continue
;         (gdb) nexti
;         (gdb) monitor screen

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ax, 0x0001
    int 0x10
    mov ax, 0x0600              ; two windows, cleared
    mov bh, 0x1f
    mov cx, 0x0202
    mov dx, 0x0811
    int 0x10
    mov ax, 0x0600
    mov bh, 0x20
    mov cx, 0x0216
    mov dx, 0x0825
    int 0x10

    mov cx, 7                   ; a letter in each row of both
rows:
    push cx
    mov dh, cl
    inc dh
    mov dl, 4
    call letter
    mov dl, 24
    call letter
    pop cx
    loop rows

    mov ax, 0x0602              ; up by two rows
    mov bh, 0x4f
    mov cx, 0x0202
    mov dx, 0x0811
    int 0x10
    mov ax, 0x0703              ; down by three
    mov bh, 0x5f
    mov cx, 0x0216
    mov dx, 0x0825
    int 0x10

    mov ah, 0x02
    mov bh, 0
    mov dx, 0x0800              ; row 8, through both windows
    int 0x10
    mov ax, 0x0a2a
    mov cx, 40
    int 0x10
    mov ah, 0x08
    int 0x10                    ; AX = 072Ah
    mov [found], ax
    mov ah, 0x0f
    int 0x10                    ; AX = 2801h: 40 columns, mode 1
    mov [found + 2], ax
    cli
    hlt

; the letter of row DH in column DL
letter:
    mov ah, 0x02
    mov bh, 0
    int 0x10
    mov ah, 0x0a
    mov al, dh
    add al, 'A' - 2
    mov cx, 3
    int 0x10
    ret

found: dw 0, 0

times 510 - ($ - $$) db 0
dw 0xaa55

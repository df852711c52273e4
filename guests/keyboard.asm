; keyboard: keys read by polling, and echoed until Escape
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt, after Escape
; screen: row 0 has the letters typed, row 1 the scan codes in hexadecimal
; keys: say with --keys what to type
;
; The keyboard controller, an 8042, has two ports: 64h, the status, whose bit 0 says that a byte can be read
; from 60h, the data. A byte is a scan code: the number of a key when it goes down, the same with bit 7 set
; when it goes up. E0h before a code tells that it is one of the grey keys.
;
; Run:    stepvisor run --keys 'Hello{Up}{Esc}' guests/bin/keyboard.bin
; Debug:  stepvisor debug guests/bin/keyboard.elf
;         (gdb) tbreak got
;         (gdb) monitor key a
;         (gdb) continue
;         (gdb) print/x $al               1e, the A key
;         (gdb) monitor keyboard          the controller and the keyboard
;         (gdb) monitor key {Esc}
;         (gdb) continue

bits 16
cpu 386
global start

DATA    equ 0x60
STATUS  equ 0x64
VIDEO   equ 0xb800
COLOR   equ 0x0f
ESCAPE  equ 0x01
LSHIFT  equ 0x2a
RSHIFT  equ 0x36

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, VIDEO
    mov es, ax
    cld
    xor di, di                  ; letters go to row 0,
    mov bp, 80 * 2              ; codes to row 1
    xor cl, cl                  ; CL is 20h while Shift is held, the distance from 'a' to 'A'

wait_key:
    in al, STATUS
    test al, 1
    jz wait_key
    in al, DATA
got:
    call show_code

    mov bl, al
    and bl, 0x7f                ; the key
    cmp bl, LSHIFT
    je shift
    cmp bl, RSHIFT
    je shift
    test al, 0x80
    jnz wait_key                ; of the others only the way down counts
    cmp al, ESCAPE
    je halt
    cmp al, letters_end - letters
    jae wait_key
    xor bh, bh
    mov al, [letters + bx]
    test al, al
    jz wait_key                 ; a key without a letter
    cmp al, 'a'
    jb put
    sub al, cl
put:
    mov ah, COLOR
    stosw
    jmp wait_key

shift:
    mov cl, 0x20
    test al, 0x80
    jz wait_key
    xor cl, cl
    jmp wait_key

halt:
    cli
    hlt
    jmp halt

; Writes AL as two hex digits to row 1.
show_code:
    pusha
    mov di, bp
    push ax
    shr al, 4
    call .digit
    pop ax
    and al, 0x0f
    call .digit
    popa
    add bp, 3 * 2               ; and a blank
    ret
.digit:
    cmp al, 10
    jb .decimal
    add al, 'A' - '0' - 10
.decimal:
    add al, '0'
    mov ah, 0x07
    stosw
    ret

; By scan code: what the key types on a US keyboard; 0 is nothing.
letters:
    db 0, 0, "1234567890-=", 0, 0
    db "qwertyuiop[]", 0, 0
    db "asdfghjkl;'`", 0, "\"
    db "zxcvbnm,./", 0, "*", 0, " "
letters_end:

    times 510 - ($ - $$) db 0
    dw 0xaa55

; scancodes: what the keyboard sends: scan codes of set 2, and of set 1 as the controller translates them
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the codes of the keys that were typed, up to Esc in each row
;
; A keyboard sends set 2: a code when a key goes down, F0 and the code when it goes up; grey keys have E0 before.
; The controller makes set 1 of it, where up is bit 7, unless bit 6 of its command byte (command 60h) is off.
; Interrupts are off, or the BIOS would take the codes.
;
; Run:    stepvisor run guests/bin/scancodes.bin --keys 'a{Up}{Esc}a{Up}{Esc}'
; Debug:  stepvisor debug guests/bin/scancodes.elf
;         (gdb) tbreak got
;         (gdb) monitor key a
;         (gdb) continue
;         (gdb) print/x $al
;         (gdb) monitor keyboard

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    cli
    xor ax, ax
    mov ds, ax
    cld
    mov bl, 0x81                ; Esc goes up
    call row
    mov ah, 0x25                ; no translation
    call mode
    mov bl, 0x76                ; Esc in set 2, goes down
    call row
    call get                    ; and up
    call hex8
    call get
    call hex8
    mov ah, 0x65
    call mode
    hlt

; prints codes until BL has come
row:
    call get
got:
    call hex8
    cmp al, bl
    jne row
    jmp newline

; AH becomes the command byte
mode:
    mov al, 0x60
    out 0x64, al
.wait:
    in al, 0x64
    test al, 0x02
    jnz .wait
    mov al, ah
    out 0x60, al
    ret

get:
    in al, 0x64
    test al, 0x01
    jz get
    in al, 0x60
    ret

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

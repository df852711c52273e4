; keys: the keyboard by the BIOS
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: what INT 16h says of each key, and of the shift keys
;
; INT 09h, the interrupt of the keyboard, puts each key into a buffer of 16 words in the BIOS data area: the
; character in the low byte, the scan code in the high one. INT 16h takes them out:
;   AH=00  waits for a key         AH=10  the same, with the keys of the enhanced keyboard
;   AH=01  ZF is set if none waits; else it is in AX, and still in the buffer
;   AH=02  the shift keys in AL    AH=12  more of them in AH
;   AH=05  puts CX into the buffer
;
; Run:    stepvisor run guests/bin/keys.bin --keys 'aB{F1}{Up}{Ctrl+C}{Esc}'
; Debug:  stepvisor debug guests/bin/keys.elf --keys 'aB{Esc}'
;         (gdb) tbreak got
;         (gdb) continue
;         (gdb) info registers ax
;         (gdb) monitor bda               the shift keys, and the keys that wait

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    cld
    mov ah, 0x05                ; a key that nobody has typed
    mov cx, 0x2d78              ; x
    int 0x16
    call hex8                   ; 00: it is in
    call newline
peek:
    mov ah, 0x11                ; until one is there, which need not be waited for
    int 0x16
    jz peek
    mov ah, 0x10
    int 0x16
got:
    call hex16
    push ax
    mov al, ' '
    call putc
    mov ah, 0x12                ; left Shift, Ctrl and so on while it was taken
    int 0x16
    call hex8
    call newline
    pop ax
    cmp al, 27
    jne peek
    mov ax, [0x41a]             ; the buffer is empty: head and tail are the same
    sub ax, [0x41c]
    call hex16
    cli
    hlt

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

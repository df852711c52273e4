; blockmove: memory above 1 MiB from real mode: INT 15h AH=87
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: a text that has been at 1 MiB
;
; AH=87 copies CX words; ES:SI is a table of six descriptors, of which the caller fills the third (from) and the
; fourth (to). The BIOS goes to protected mode and back for it. Loaders bring a kernel to its place so.
;
; Run:    stepvisor run guests/bin/blockmove.bin
; Debug:  stepvisor debug guests/bin/blockmove.elf
;         (gdb) break-int 0x15 ah=0x87
;         (gdb) continue
;         (gdb) nexti
;         (gdb) x/s 0x100000

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
    cld
    mov si, up
    mov cx, (text_end - text + 1) / 2
    mov ah, 0x87
    int 0x15
    jc failed
    call hex16                  ; 0000
    call newline
    mov si, down
    mov ah, 0x87
    int 0x15
    jc failed
    mov si, back
    call print
    cli
    hlt
failed:
    call hex16
    cli
    hlt

%include "print.inc"

text:   db "This has been at 1 MiB and is back.", 0
text_end:
back equ 0x600

; a limit of 64 KiB, the base in 24 bits, access rights for data; the last byte is the base's highest
%macro descriptor 1
    dw 0xffff
    dw (%1) & 0xffff
    db (%1) >> 16, 0x93, 0, 0
%endmacro
align 4
up:
    dq 0, 0
    descriptor 0x7c00 + (text - $$)
    descriptor 0x100000
    dq 0, 0
down:
    dq 0, 0
    descriptor 0x100000
    descriptor 0x600
    dq 0, 0

times 510 - ($ - $$) db 0
dw 0xaa55

; filters: Ctrl+Break, and keys changed on their way
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: b for each a, and that Ctrl+Break came
;
; INT 09h offers each scan code to INT 15h AH=4F, in AL with CF set; a program that hooks that may change it, or
; clear CF so that the key is swallowed. At Ctrl+Break the BIOS calls INT 1Bh, notes it in bit 7 of 0040:0071, and
; puts 0000 into the buffer.
;
; Run:    stepvisor run guests/bin/filters.bin --keys 'axa{Ctrl+Pause}{Esc}'
; Debug:  stepvisor debug guests/bin/filters.elf
;         (gdb) break filter
;         (gdb) continue
;         (gdb) bt
;         (gdb) print/x $al

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
    cli
    mov eax, [0x15 * 4]
    mov [old], eax
    mov dword [0x15 * 4], filter
    mov dword [0x1b * 4], break_key
    sti
next:
    mov ah, 0x00
    int 0x16
    call hex16
    mov al, ' '
    call putc
    cmp ah, 0x01
    jne next
    call newline
    mov al, [breaks]
    call hex8                   ; 01
    mov al, [0x471]
    call hex8                   ; 80
    cli
    hlt

; INT 15h: scan code 1E, of A, becomes 30, of B; 2D, of X, is swallowed
filter:
    cmp ah, 0x4f
    jne .on
    push ax
    and al, 0x7f
    cmp al, 0x2d
    pop ax
    je .swallow
    cmp al, 0x1e
    jne .on
    mov al, 0x30
    stc
    retf 2                      ; an IRET that leaves the flags as they are now
.swallow:
    clc
    retf 2
.on:
    jmp far [cs:old]

; INT 1Bh
break_key:
    inc byte [cs:breaks]
    iret

%include "print.inc"

breaks: db 0
old: dd 0

times 510 - ($ - $$) db 0
dw 0xaa55

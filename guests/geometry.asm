; geometry: which drives there are, and how their disks are divided
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: a line for each of the drives 00, 01, 80 and 81 that is there
;
; INT 13h AH=15 tells in AH what a drive is: 1 a floppy drive, 3 a hard disk; 0 or CF if there is none. AH=08 gives
; the largest cylinder (CH, and bits 6 and 7 of CL), head (DH) and sector (CL bits 0 to 5), so that there are one more
; cylinders and heads, but as many sectors, which count from 1. DL is how many drives of the kind there are; ES:DI
; is the parameters of a floppy drive.
;
; Run:    stepvisor run --fda guests/bin/geometry.bin --hda ANY.img
; Debug:  stepvisor debug --fda guests/bin/geometry.bin --symbols guests/bin/geometry.elf
;         (gdb) monitor disk
;         (gdb) break-int 0x13 ah=8
;         (gdb) continue
;         (gdb) nexti
;         (gdb) info registers cx dx

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov si, drives
.next:
    lodsb
    cmp al, 0xff
    je done
    call drive
    jmp .next

done:
    cli
    hlt

; tells of drive AL
drive:
    pusha
    mov [number], al
    mov dl, al
    mov ah, 0x15
    int 0x13
    jc .end
    test ah, ah
    jz .end
    mov al, [number]
    call hex8
    mov si, floppy
    cmp ah, 3
    jne .kind
    mov si, hard
.kind:
    call print

    mov dl, [number]
    mov ah, 0x08
    int 0x13
    jc .end
    mov [count], dl
    mov al, ch
    mov ah, cl
    shr ah, 6
    inc ax
    call decimal
    mov si, cylinders
    call print
    movzx ax, dh
    inc ax
    call decimal
    mov si, heads
    call print
    mov al, cl
    and ax, 0x3f
    call decimal
    mov si, sectors
    call print
    movzx ax, byte [count]
    call decimal
    mov si, such
    call print
    call newline
.end:
    popa
    ret

; prints AX in decimal
decimal:
    pusha
    mov bx, 10
    xor cx, cx
.divide:
    xor dx, dx
    div bx
    push dx
    inc cx
    test ax, ax
    jnz .divide
.digit:
    pop ax
    add al, '0'
    call putc
    loop .digit
    popa
    ret

%include "print.inc"

drives:     db 0x00, 0x01, 0x80, 0x81, 0xff
floppy:     db "h floppy: ", 0
hard:       db "h hard disk: ", 0
cylinders:  db " cylinders, ", 0
heads:      db " heads, ", 0
sectors:    db " sectors; of such drives: ", 0
such:       db ".", 0
number:     db 0
count:      db 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

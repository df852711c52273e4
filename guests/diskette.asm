; diskette: the parameters of floppies, to which interrupt vector 1Eh points
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the eleven bytes, and that a sector is read with others
;
; INT 1Eh is no code: its vector is the address of a table that the floppy services use. Its third byte is how many
; ticks the motor runs on, its fourth the size of a sector (2 is 512 bytes), its fifth the last sector of a track.
; DOS boot sectors copy it, change the copy, and have the vector point there.
;
; Run:    stepvisor run guests/bin/diskette.bin --drive 0
; Debug:  stepvisor debug guests/bin/diskette.elf
;         (gdb) tbreak copied
;         (gdb) continue
;         (gdb) x/11bx 0x600
;         (gdb) monitor ivt

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
    lds si, [0x1e * 4]
    mov di, table
    mov cx, 11
    rep movsb
    mov ds, ax
    mov word [0x1e * 4], table
    mov [0x1e * 4 + 2], ax
copied:
    mov si, table
    mov cx, 11
.next:
    lodsb
    call hex8
    loop .next
    call newline
    mov byte [table + 4], 36    ; as for floppies of 2.88 MB
    mov byte [table + 9], 5     ; and a shorter wait
    xor ax, ax
    mov dl, 0
    int 0x13
    mov ax, 0x0201
    mov cx, 0x0001
    xor dx, dx
    mov bx, buffer
    int 0x13
    jc failed
    call hex16
    mov ax, [buffer + 510]
    call hex16                  ; AA55
failed:
    cli
    hlt

%include "print.inc"

table equ 0x600
buffer equ 0x800

times 510 - ($ - $$) db 0
dw 0xaa55

; diskerrors: what the BIOS says of a disk that cannot be read
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: for each call, AH and AL behind it, and the status that INT 13h AH=01 tells afterwards
;
; A service that fails sets CF and leaves a status in AH; AL, which said how many sectors are wanted, is how many
; there were, if it came so far. The status stays in the data area, 441h for floppies and 474h for hard disks, until
; the next operation: AH=01 fetches it. A program resets the drive (AH=00) and tries again, some times: a motor may
; have been too slow. Here it would not help.
;
; Run:    stepvisor run guests/bin/diskerrors.bin --drive 0
; Debug:  stepvisor debug guests/bin/diskerrors.bin --drive 0 --symbols guests/bin/diskerrors.elf
;         (gdb) break call
;         (gdb) continue
;         (gdb) finish
;         (gdb) monitor disk              the last statuses

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
    mov si, calls
.next:
    call call
    add si, CALL_SIZE
    cmp si, calls_end
    jb .next
    cli
    hlt

; carries out the call at SI
call:
    pusha
    mov ax, [si]
    mov bx, [si + 2]
    mov cx, [si + 4]
    mov dx, [si + 6]
    int 0x13
    pushf
    call hex16
    mov al, ' '
    call putc
    popf
    mov al, '-'
    jnc .carry
    mov al, 'C'
.carry:
    call putc
    mov al, ' '
    call putc
    mov ah, 0x01
    int 0x13
    mov al, ah
    call hex8
    mov al, ' '
    call putc
    mov si, [si + 8]
    call print
    call newline
    popa
    ret

%include "print.inc"

; AX, BX, CX, DX, and what it is
calls:
    dw 0x0201, 0x8000, 0x0001, 0x0000, fine
CALL_SIZE   equ $ - calls
    dw 0x0201, 0x8000, 0x0013, 0x0000, sector
    dw 0x0201, 0x8000, 0x0000, 0x0000, zero
    dw 0x0201, 0x8000, 0x5001, 0x0000, cylinder
    dw 0x0201, 0x8000, 0x0001, 0x0200, head
    dw 0x0200, 0x8000, 0x0001, 0x0000, none
    dw 0x0202, 0xff00, 0x0001, 0x0000, boundary
    dw 0x0000, 0x0000, 0x0000, 0x0000, reset
    dw 0x0201, 0x8000, 0x0001, 0x0001, drive
    dw 0x4200, 0x0000, 0x0000, 0x0000, packet
    dw 0x1600, 0x0000, 0x0000, 0x0000, change
calls_end:

fine:       db "sector 1", 0
sector:     db "sector 19 of 18", 0
zero:       db "sector 0: they count from 1", 0
cylinder:   db "cylinder 80 of 0 to 79", 0
head:       db "head 2 of 0 and 1", 0
none:       db "no sectors", 0
boundary:   db "over a 64 KiB boundary", 0
reset:      db "reset", 0
drive:      db "drive 01", 0
packet:     db "packets on a floppy", 0
change:     db "was the disk changed?", 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

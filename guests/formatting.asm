; formatting: a track of a floppy made anew, and verified
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the statuses of writing, formatting and verifying; what the track holds then
;
; INT 13h AH=05 writes the marks of all sectors of a track, and fills them with a byte. ES:BX lists the sectors as
; they are to follow each other: cylinder, head, number, size (2 is 512 bytes). The byte, F6, is the ninth of the
; diskette parameters to which INT 1Eh points. AH=04 verifies: it reads without a buffer.
;
; Run:    stepvisor run guests/bin/formatting.bin --drive 0
; Debug:  stepvisor debug guests/bin/formatting.bin --drive 0 --symbols guests/bin/formatting.elf
;         (gdb) break-int 0x13
;         (gdb) continue
;         (gdb) monitor disk              sectors that the file does not have
;         (gdb) continue

bits 16
cpu 386
global start

SECTORS     equ 18
CYLINDER    equ 5
HEAD        equ 1
BUFFER      equ 0x8000
LIST        equ 0x9000
PARAMETERS  equ 0x1e * 4

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    mov [drive], dl
    cld

    mov si, writing
    mov ax, 0x0301                  ; something to be lost: this sector
    mov bx, 0x7c00
    call disk

    mov di, LIST
    mov cx, 1
.list:
    mov ax, CYLINDER | HEAD << 8
    stosw
    mov al, cl
    mov ah, 2
    stosw
    inc cx
    cmp cx, SECTORS
    jbe .list
    mov si, formatting
    mov ax, 0x0500 | SECTORS
    mov bx, LIST
    call disk

    mov si, verifying
    mov ax, 0x0400 | SECTORS
    call disk

    mov si, reading
    mov ax, 0x0200 | SECTORS
    mov bx, BUFFER
    call disk

    lds si, [PARAMETERS]            ; what the track is filled with
    mov al, [si + 8]
    xor cx, cx
    mov ds, cx
    call hex8
    mov ah, al
    mov di, BUFFER
    mov cx, SECTORS * 256
    repe scasw
    mov si, filled
    je end
    mov si, not_filled
end:
    call print
    cli
    hlt

; INT 13h on the track, and what came of it behind the text at SI
disk:
    mov cx, CYLINDER << 8 | 1
    mov dh, HEAD
    mov dl, [drive]
    int 0x13
    call print
    call hex16
    jmp newline

%include "print.inc"

writing:    db "write:  ", 0
formatting: db "format: ", 0
verifying:  db "verify: ", 0
reading:    db "read:   ", 0
filled:     db " is all there is on the track.", 0
not_filled: db " is not all there is on the track.", 0
drive:      db 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

; lbawrite: INT 13h on a hard disk: sectors written, verified and read by their numbers
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: what was written and read again, and the status of a sector behind the end
;
; AH=43 writes what the packet at DS:SI says, AH=44 verifies, AH=47 seeks, AH=42 reads. A packet has its size, the
; number of sectors, a far pointer to the buffer and the first sector as 8 bytes; the number of sectors done comes
; back in it. Nothing goes to the image file unless one says --writable.
;
; Run:    stepvisor run guests/bin/lbawrite.bin
; Debug:  stepvisor debug guests/bin/lbawrite.bin --symbols guests/bin/lbawrite.elf
;         (gdb) break-int 0x13 ah=0x43
;         (gdb) continue
;         (gdb) x/16bx $si
;         (gdb) nexti
;         (gdb) monitor disk              sectors that changed

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
    mov [drive], dl
    cld
    mov di, buffer              ; a sector of text
    mov si, text
    mov cx, text_end - text
    rep movsb
    mov ax, 0x4300
    call disk
    mov ah, 0x44
    call disk
    mov ah, 0x47
    call disk
    mov word [buffer], 0
    mov ah, 0x42
    call disk
    mov ax, [packet + 2]
    call hex16                  ; 0001
    call newline
    mov si, buffer
    call print
    mov byte [packet + 12], 1   ; 4 GiB further on
    mov ah, 0x42
    call disk
    cli
    hlt

; INT 13h with the packet; prints the status
disk:
    mov dl, [drive]
    mov si, packet
    int 0x13
    mov al, ah
    call hex8
    jmp newline

%include "print.inc"

text:   db "Written by its number.", 13, 10, 0
text_end:
drive:  db 0
align 4
packet: db 16, 0
        dw 1
        dw buffer, 0
        dq 5
buffer equ 0x800

times 510 - ($ - $$) db 0
dw 0xaa55
times 8192 - ($ - $$) db 0         ; sectors to write to

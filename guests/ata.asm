; ata: are there disks behind the ATA ports? as drivers look for them
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: that there are none, at either place
;
; A driver writes a value to the sector count and the sector number, at 1F2 and 1F3, and reads it back: nothing can
; do that but a disk's registers. A status, 1F7, of FF tells of an empty bus. The same for the second channel, 170.
; Disks are there for INT 13h only.
;
; Run:    stepvisor run guests/bin/ata.bin
; Debug:  stepvisor debug guests/bin/ata.elf
;         (gdb) break-out 0x1f2
;         (gdb) continue

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
    mov bx, 0x1f0
    call channel
    mov bx, 0x170
    call channel
    cli
    hlt

; looks for a disk at the ports from BX on
channel:
    mov ax, bx
    call hex16
    mov si, there
    lea dx, [bx + 6]
    mov al, 0xa0                ; the first disk
    out dx, al
    lea dx, [bx + 2]
    mov al, 0x55
    out dx, al
    inc dx
    mov al, 0xaa
    out dx, al
    in al, dx
    mov ah, al
    dec dx
    in al, dx
    cmp ax, 0xaa55
    je .tell
    lea dx, [bx + 7]
    in al, dx
    cmp al, 0xff
    jne .tell
    mov si, none
.tell:
    call print
    ret

%include "print.inc"

none:   db ": nothing", 13, 10, 0
there:  db ": something", 13, 10, 0

times 510 - ($ - $$) db 0
dw 0xaa55

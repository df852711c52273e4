; dac: the DAC by its ports 3C6 to 3C9: 256 colours, written and read back, and the mask
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: what was read back; the text itself is in orange
;
; The index goes to 3C8 to write and to 3C7 to read; then come red, green and blue of 6 bits through 3C9, and the
; index goes on by itself. 3C7 reads 0 or 3: whether it is to be written or read. 3C6 is a mask that every index
; goes through.
;
; Run:    stepvisor run guests/bin/dac.bin
; Debug:  stepvisor debug guests/bin/dac.elf
;         (gdb) tbreak readback
;         (gdb) continue
;         (gdb) monitor vga

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
    mov dx, 0x3c8
    mov al, 7                   ; text is in colour 7
    out dx, al
    inc dx
    mov si, orange
    mov cx, 3
    rep outsb
    mov al, 8                   ; and on to the next colour: too large a value is cut to 6 bits
    out dx, al
    mov al, 0x7f
    out dx, al
    xor al, al
    out dx, al
    mov dx, 0x3c7
    in al, dx
    and al, 3
    call hex8                   ; 00: to be written
    call newline
readback:
    mov dx, 0x3c7
    mov al, 7
    out dx, al
    in al, dx
    and al, 3
    call hex8                   ; 03: to be read
    call newline
    mov dx, 0x3c9
    mov cx, 6
.next:
    in al, dx
    call hex8
    loop .next
    call newline
    mov dx, 0x3c8
    in al, dx
    call hex8                   ; 09: behind what was read
    call newline
    mov dx, 0x3c6
    in al, dx
    call hex8                   ; FF: all bits count
    mov al, 0x0f
    out dx, al
    in al, dx
    call hex8
    mov al, 0xff
    out dx, al
    cli
    hlt

%include "print.inc"

orange: db 63, 32, 0

times 510 - ($ - $$) db 0
dw 0xaa55

; speaker: a tone: counter 2 of the timer, its gate and the speaker at port 61
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: port 61 with the speaker off and on, and that the output went up and down
;
; In mode 3 counter 2 divides 1193182 Hz by its count: 100 make 11932 Hz. Port 61 bit 0 lets it count, bit 1 gives
; its output to the speaker, bit 5 reads the output. There is nothing to be heard here, but all of it can be seen.
;
; Run:    stepvisor run guests/bin/speaker.bin
; Debug:  stepvisor debug guests/bin/speaker.elf
;         (gdb) tbreak tone
;         (gdb) continue
;         (gdb) monitor pit               counter 2, mode 3

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
    in al, 0x61
    and al, 0x0f                ; the bits above move
    call hex8
    mov al, 0xb6                ; counter 2, both bytes, mode 3
    out 0x43, al
    mov ax, 100
    out 0x42, al
    mov al, ah
    out 0x42, al
    in al, 0x61
    or al, 0x03
    out 0x61, al
tone:
    in al, 0x61
    and al, 0x0f
    call hex8
    mov cx, 3                   ; three times up and down
period:
    in al, 0x61
    test al, 0x20
    jz period
.high:
    in al, 0x61
    test al, 0x20
    jnz .high
    loop period
    in al, 0x61                 ; quiet
    and al, 0xfc
    out 0x61, al
    in al, 0x61
    and al, 0x0f
    call hex8
    mov si, text
    call print
    cli
    hlt

%include "print.inc"

text: db " three periods", 0

times 510 - ($ - $$) db 0
dw 0xaa55

; timer: a wait by counter 2 of the 8254, without interrupts
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 0 says that a millisecond is over
;
; The timer has three counters at ports 40-42, which count down 1193182 times a second, and takes control words
; at 43. Counter 0 is the system's clock; counter 2 is free, and the speaker is at its output. Port 61 is around
; it:
;   bit 0  the gate of counter 2: it counts while this is set
;   bit 1  the speaker follows the output
;   bit 5  the output, to be read
; In mode 0 the output rises when the count is over, so that one waits by reading port 61.
;
; Run:    stepvisor run guests/bin/timer.bin
; Debug:  stepvisor debug guests/bin/timer.elf
;         (gdb) tbreak wait_end
;         (gdb) continue
;         (gdb) monitor pit               counter 2 counts
;         (gdb) tbreak over
;         (gdb) continue
;         (gdb) monitor pit               its output is high

bits 16
cpu 386
global start

COUNTER_2 equ 0x42
CONTROL   equ 0x43
SPEAKER   equ 0x61
VIDEO     equ 0xb800
COUNT     equ 1193              ; cycles: 1 ms

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, VIDEO
    mov es, ax
    cld

    in al, SPEAKER
    and al, 0xfc                ; no sound,
    or al, 0x01                 ; but the gate is open
    out SPEAKER, al
    mov al, 0xb0                ; counter 2, low byte then high byte, mode 0, binary
    out CONTROL, al
    mov al, COUNT & 0xff
    out COUNTER_2, al
    mov al, COUNT >> 8
    out COUNTER_2, al           ; counts from here on

wait_end:
    in al, SPEAKER
    test al, 0x20
    jz wait_end

over:
    mov si, text_over
show:
    xor di, di                  ; row 0
    mov ah, 0x0f
.next:
    lodsb
    test al, al
    jz halt
    stosw
    jmp .next

halt:
    cli
    hlt
    jmp halt

text_over:
    db "A millisecond is over.", 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

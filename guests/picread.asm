; picread: the interrupt controller asked: what is requested, what is in service, what is masked
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the mask, requests before and after the timer's, what a poll gives, in service before and after the end
;
; The 8259 keeps three bytes: IMR (the mask, read at port 21), IRR (what is requested) and ISR (what is in service).
; 0A and 0B to port 20 say which of the latter the next read gives. 0C polls: the next read takes the request
; itself, bit 7 and the line, as the processor would. 20 ends the interrupt. All this goes with interrupts off.
;
; Run:    stepvisor run guests/bin/picread.bin
; Debug:  stepvisor debug guests/bin/picread.elf
;         (gdb) break requests
;         (gdb) continue
;         (gdb) monitor pic

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    cli
    xor ax, ax
    mov ds, ax
    in al, 0x21
    call hex8                   ; B8: timer, keyboard, cascade, and 6
    call newline
    mov al, 0xff
    out 0x21, al                ; none, for now
    mov al, 0x30                ; counter 0 once, mode 0: 200 us
    out 0x43, al
    call requests               ; 00: its output is low
    mov al, 238
    out 0x40, al
    mov al, 0
    out 0x40, al
.wait:
    call irr
    test al, 0x01
    jz .wait
    call requests               ; 01: masked, but requested
    mov al, 0xfe
    out 0x21, al
    mov al, 0x0c
    out 0x20, al
    in al, 0x20
    call hex8                   ; 80: line 0
    call service                ; 01
    mov al, 0x20
    out 0x20, al
    call service                ; 00
    hlt

requests:
    call irr
    jmp hex8

irr:
    mov al, 0x0a
    out 0x20, al
    in al, 0x20
    and al, 0x01
    ret

service:
    mov al, 0x0b
    out 0x20, al
    in al, 0x20
    jmp hex8

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

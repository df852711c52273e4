; uartirq: a serial port by interrupts, IRQ 4, and in a loop to itself
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: that the text was sent, and what came back in the loop
;
; The 16550 at 3F8 interrupts, by IRQ 4 and vector 0C, when its register for sending is empty, bit 1 of 3F9, or when
; a byte has come, bit 0; 3FA tells which, and out 2 of the modem control register, 3FC bit 3, lets it through. Bit
; 4 of that register is a loop: what is sent is received, and the lines go back as the modem's status.
;
; Run:    stepvisor run guests/bin/uartirq.bin
; Debug:  stepvisor debug guests/bin/uartirq.elf
;         (gdb) break handler
;         (gdb) continue
;         (gdb) monitor serial
;         (gdb) monitor pic

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
    cli
    mov word [0x0c * 4], handler
    mov word [0x0c * 4 + 2], ax
    mov dx, 0x3fb
    mov al, 0x03                ; 8 bits, one stop bit
    out dx, al
    inc dx
    mov al, 0x1b                ; the loop, out 2, DTR, RTS
    out dx, al
    add dx, 2
    in al, dx
    and al, 0xf0                ; B0: they come back as CD, DSR, CTS
    call hex8
    mov dx, 0x3f8
    mov al, 0x5a
    out dx, al
.wait:
    mov dx, 0x3fd
    in al, dx
    test al, 0x01
    jz .wait
    mov dx, 0x3f8
    in al, dx
    call hex8                   ; 5A
    call newline

    mov dx, 0x3fc
    mov al, 0x0b                ; out of the loop
    out dx, al
    in al, 0x21
    and al, 0xef                ; IRQ 4
    out 0x21, al
    mov dx, 0x3f9
    mov al, 0x02
    out dx, al
    sti
sleep:
    hlt
    cmp byte [done], 0
    je sleep
    mov si, sent
    call print
    cli
    hlt

; INT 0Ch: a byte can be sent
handler:
    push ax
    push bx
    push dx
    mov dx, 0x3fa
    in al, dx                   ; which takes the request back
    mov bx, [cs:next]
    mov al, [cs:bx]
    mov dx, 0x3f8
    test al, al
    jnz .send
    inc dx                      ; no more: no more interrupts
    mov byte [cs:done], 1
.send:
    out dx, al
    inc word [cs:next]
    mov al, 0x20
    out 0x20, al
    pop dx
    pop bx
    pop ax
    iret

%include "print.inc"

next:   dw text
done:   db 0
text:   db "Sent by IRQ 4", 13, 10, 0
sent:   db "All sent.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

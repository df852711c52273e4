; serial: a serial port found, set up, and written to by polling
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 0 says what was done
; serial: one line on COM1
;
; COM1 is a UART, the 16550A, with eight registers at ports 3F8-3FF:
;   +0  data; with DLAB set (bit 7 of LCR) the divisor's low byte
;   +1  interrupts enabled; with DLAB set the divisor's high byte
;   +2  FIFO control
;   +3  LCR, line control: word length, parity, DLAB
;   +4  MCR, modem control: DTR, RTS, OUT2, loopback
;   +5  LSR, line status: bit 0 a byte was received, bit 5 the transmitter takes one
;   +7  scratch, a byte of memory: whether it keeps what is written tells whether there is a UART
; Each byte waits for bit 5 of LSR, which is all that sending by polling is.
;
; Run:    stepvisor run --serial - guests/bin/serial.bin
; Debug:  stepvisor debug guests/bin/serial.elf
;         (gdb) tbreak send
;         (gdb) continue
;         (gdb) print/c $al               the first letter
;         (gdb) monitor serial            the registers of both ports
;         (gdb) continue                  gdb prints the line

bits 16
cpu 386
global start

COM1  equ 0x3f8
IER   equ COM1 + 1
FCR   equ COM1 + 2
LCR   equ COM1 + 3
MCR   equ COM1 + 4
LSR   equ COM1 + 5
SCR   equ COM1 + 7
VIDEO equ 0xb800

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

find:
    mov dx, SCR
    mov al, 0x5a
    out dx, al
    in al, dx
    cmp al, 0x5a                ; where there is no UART this reads FF
    mov si, text_none
    jne show

set_up:
    mov dx, IER
    xor al, al
    out dx, al                  ; no interrupts
    mov dx, LCR
    mov al, 0x80                ; DLAB: the next two ports are the divisor
    out dx, al
    mov dx, COM1
    mov al, 1                   ; 115200 / 1 = 115200 baud
    out dx, al
    mov dx, IER
    xor al, al
    out dx, al
    mov dx, LCR
    mov al, 0x03                ; 8 data bits, no parity, 1 stop bit; DLAB off
    out dx, al
    mov dx, FCR
    mov al, 0x07                ; FIFOs on and empty
    out dx, al
    mov dx, MCR
    mov al, 0x03                ; DTR and RTS: we are here
    out dx, al

    mov si, greeting
next:
    lodsb
    test al, al
    jz sent
    call send
    jmp next

sent:
    mov si, text_sent
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

; Sends AL. Changes DX and AH.
send:
    mov ah, al
    mov dx, LSR
.wait:
    in al, dx
    test al, 0x20               ; the transmitter is empty
    jz .wait
    mov al, ah
    mov dx, COM1
    out dx, al
    ret

greeting:
    db "Hello from COM1!", 13, 10, 0
text_sent:
    db "Sent a line on COM1.", 0
text_none:
    db "There is no COM1.", 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

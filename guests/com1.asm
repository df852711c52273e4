; com1: a serial port by the BIOS
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the status of the port
;
; INT 14h AH=00 sets a port up, AH=01 sends AL, AH=02 receives into AL, AH=03 gives line status and modem status.
; Bit 7 of AH says that the port did not get ready. DX is the port's number, from 0; CF says that there is no such
; port. INT 17h is the same for printers.
;
; Run:    stepvisor run guests/bin/com1.bin --serial -
; Debug:  stepvisor debug guests/bin/com1.elf
;         (gdb) tbreak sent
;         (gdb) continue
;         (gdb) monitor serial

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
    mov ax, 0x00e3              ; 9600 baud, no parity, 8 bits
    xor dx, dx
    int 0x14
    call hex8                   ; modem status
    mov al, ah
    call hex8                   ; line status: ready to send
    call newline
    mov si, text
send:
    lodsb
    test al, al
    jz sent
    mov ah, 0x01
    int 0x14
    jmp send
sent:
    mov ah, 0x02                ; nobody sends anything
    int 0x14
    mov al, ah
    and al, 0x80
    call hex8
    call newline
    mov ah, 0x03
    mov dx, 3                   ; there is no COM4
    int 0x14
    setc al
    call hex8
    call newline
    mov ah, 0x02                ; nor a third printer
    mov dx, 2
    int 0x17
    setc al
    call hex8
    cli
    hlt

%include "print.inc"

text: db "Hello from INT 14h", 0

times 510 - ($ - $$) db 0
dw 0xaa55

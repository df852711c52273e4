; a20: address line A20, by port 92 and by the keyboard controller
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 0 says what each way of switching has done: 1 where FFFF:0510 is a place of its own, 0 where it is 0000:0500
;
; FFFF:0510 is the address 100500. An 8086 has 20 address lines, so there it is 00500 once more, and some programs counted
; on that. A PC can therefore switch its line A20 off, by bit 1 of port 92 or by the output port of the keyboard
; controller (command D1), and a kernel has to see to it that it is on before it uses odd megabytes.
;
; Debug:  stepvisor debug guests/bin/a20.elf
;         (gdb) break look
;         (gdb) continue 2                A20 is off
;         (gdb) set {char}0x500 = 0x77
;         (gdb) x/bx 0x100500             gdb sees what the guest sees
;         (gdb) monitor keyboard

bits 16
cpu 386
global start

CONTROL_A equ 0x92
A20       equ 0x02
DATA      equ 0x60
COMMAND   equ 0x64
VIDEO     equ 0xb800

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
    xor di, di                  ; row 0

    call look                   ; as firmware leaves it: on

    in al, CONTROL_A
    and al, ~A20 & 0xfe         ; and never the reset in bit 0
    out CONTROL_A, al
    call look                   ; off

    in al, CONTROL_A
    or al, A20
    and al, 0xfe
    out CONTROL_A, al
    call look                   ; on

    mov ah, 0xdd                ; the output port, A20 low
    call output_port
    call look                   ; off

    mov ah, 0xdf
    call output_port
    call look                   ; on

halt:
    cli
    hlt
    jmp halt

; Writes AH to the keyboard controller's output port.
output_port:
    call .ready
    mov al, 0xd1
    out COMMAND, al
    call .ready
    mov al, ah
    out DATA, al
.ready:
    in al, COMMAND
    test al, 0x02               ; it has taken what was written before
    jnz .ready
    ret

; Writes 1 if there is memory of its own at FFFF:0510, else 0.
look:
    mov ax, 0xffff
    mov fs, ax
    mov byte [0x0500], 0x55
    mov byte [fs:0x0510], 0xaa
    cmp byte [0x0500], 0x55
    mov ax, 0x0f00 | '1'
    je .put
    mov al, '0'
.put:
    stosw
    ret

    times 510 - ($ - $$) db 0
    dw 0xaa55

; a20bios: address line A20 by INT 15h
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: what can switch it, its state, and whether FFFF:0510 is 0000:0500, before and after
;
; AX=2403 says in BX what can switch the line: bit 0 the keyboard controller, bit 1 port 92. AX=2402 tells its state
; in AL, 2400 switches it off, 2401 on. Off, all of FFFF:0010 to FFFF:FFFF is 0000:0000 to 0000:FFEF, as on a PC
; with 20 address lines. The same by ports is `a20`.
;
; Run:    stepvisor run guests/bin/a20bios.bin
; Debug:  stepvisor debug guests/bin/a20bios.elf
;         (gdb) break-int 0x15 ax=0x2400
;         (gdb) continue
;         (gdb) nexti
;         (gdb) x/2bx 0x100500            what the guest sees

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    dec ax
    mov es, ax
    cld
    mov ax, 0x2403
    int 0x15
    jc failed
    mov ax, bx
    call hex16
    call newline
    call look
    mov ax, 0x2400
    int 0x15
    jc failed
    call look
    mov ax, 0x2401
    int 0x15
    jc failed
    call look
failed:
    cli
    hlt

; the state of the line, and the byte at 0000:0500 when FFFF:0510 has got another
look:
    mov ax, 0x2402
    int 0x15
    call hex8
    mov byte [0x500], 0x11
    mov byte [es:0x510], 0x22
    mov al, [0x500]
    call hex8                   ; 22: it wrapped
    jmp newline

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

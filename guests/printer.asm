; printer: a printer by INT 17h, if there is one
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: that there is none
;
; The ports of LPT1 to LPT3 are in the data area, from 0040:0008 on: 0 is none. INT 17h AH=00 prints AL on printer
; DX, 01 sets it up, 02 gives its status in AH. INT 05h, which the Print Screen key calls, prints the screen.
;
; Run:    stepvisor run guests/bin/printer.bin
; Debug:  stepvisor debug guests/bin/printer.elf
;         (gdb) break-int 0x17
;         (gdb) continue
;         (gdb) nexti
;         (gdb) print $eflags             CF: there is no such printer

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
    mov ax, [0x408]
    test ax, ax
    jz none
    mov ax, 0x0200
    xor dx, dx
    int 0x17
    mov al, ah
    call hex8
    call newline
    mov si, text
.next:
    lodsb
    test al, al
    jz done
    mov ah, 0x00
    int 0x17
    jmp .next
none:
    mov ax, 0x0200
    xor dx, dx
    int 0x17
    setc al
    call hex8                   ; 01: it says so, too
    mov si, no
    call print
    int 0x05                    ; nothing happens
done:
    cli
    hlt

%include "print.inc"

text: db "Hello from INT 17h", 13, 10, 0
no: db " There is no printer.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

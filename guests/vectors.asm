; vectors: the interrupt vectors as the firmware leaves them
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: how many of the 256 are 0000:0000, and that all from 80 to FF can be called
;
; At address 0 are 256 far pointers, offset first: the handlers of INT 00 to FF. Those of the BIOS are in its ROM;
; those that nobody has a use for point to an IRET. 60 to 67 are left to users. Three are no handlers but tables:
; 1D, 1E and 1F.
;
; Run:    stepvisor run guests/bin/vectors.bin
; Debug:  stepvisor debug guests/bin/vectors.elf
;         (gdb) monitor ivt
;         (gdb) x/2hx 4 * 0x10
;         (gdb) tbreak call_it
;         (gdb) continue
;         (gdb) stepi

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
    xor si, si
    mov cx, 256
    xor bx, bx
count:
    lodsd
    test eax, eax
    jnz .used
    inc bx
.used:
    loop count
    mov al, bl
    call hex8
    call newline

    mov cx, 0x80
next:
    mov al, cl
    mov [call_it + 1], al
    jmp call_it                 ; a jump, as code that changes itself should have one
call_it:
    int 0x00
    inc cl
    jnz next
    mov si, called
    call print
    cli
    hlt

%include "print.inc"

called: db "128 calls", 0

times 510 - ($ - $$) db 0
dw 0xaa55

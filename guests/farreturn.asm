; farreturn: back to the firmware by a far return
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: a far return
; screen: a line of text
;
; The firmware leaves a far return address on the stack of the boot sector it starts, so a boot sector that does not
; move its stack can just return. Here it is the end of the run, with exit code 38.
;
; Run:    stepvisor run guests/bin/farreturn.bin
; Debug:  stepvisor debug guests/bin/farreturn.elf
;         (gdb) x/2hx $sp
;         (gdb) tbreak leave
;         (gdb) continue
;         (gdb) stepi
;         (gdb) x/i $pc                   in the ROM

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
    mov si, text
    call print
leave:
    retf

%include "print.inc"

text: db "Nothing to do.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

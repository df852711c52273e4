; addloop: add 5 and 4, then loop for ever
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: never, `forever` jumps to itself; stop it from outside (^C in gdb, a timeout otherwise)
; screen: untouched
;
; The smallest program worth a debugger: it shows nothing by itself, so registers and memory must be
; looked at. At `forever` AX = 5, BX = 4, CX = 9, and the words a, b, sum in memory hold the same.
;
; Debug:  stepvisor debug guests/bin/addloop.elf
;         (gdb) continue
;         ^C                              interrupts the guest in its loop
;         (gdb) print {short[3]}&a        {5, 4, 9}
;         (gdb) print $cx                 9
;         (gdb) stepi                     once around the loop, pc is the same again

bits 16
cpu 386
global start

section .text
start:
    cli
    xor ax, ax
    mov ds, ax                  ; DS = 0: a label is its linear address

    mov word [a], 5
    mov word [b], 4

    mov ax, [a]
    mov bx, [b]
    mov cx, ax
add_them:
    add cx, bx
store_sum:
    mov [sum], cx

forever:
    jmp forever                 ; two bytes, EB FE; one also writes it jmp $

    align 2, db 0
a:
    dw 0
b:
    dw 0
sum:
    dw 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

; counter: the timer's counter 0: latched, read back, and as a random number
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: its status, and that it is another number each time
;
; Counter 0 runs through 65536 in 55 ms, from where it was at power-on: programs take it for a random number. A byte
; of 00 to port 43 latches it, so that its two bytes belong together; `in ax, 0x40` reads counters 0 and 1 and not
; both bytes. E2 to port 43 latches the status: bit 7 the output, bits 4 and 5 which bytes are to be read, bits 1 to
; 3 the mode.
;
; Run:    stepvisor run guests/bin/counter.bin
; Debug:  stepvisor debug guests/bin/counter.elf
;         (gdb) break latch
;         (gdb) continue
;         (gdb) monitor pit

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
    mov al, 0xe2                ; read-back: the status of counter 0
    out 0x43, al
    in al, 0x40
    and al, 0x3f                ; 34: low byte, then high byte; mode 2
    call hex8
    call newline

    mov cx, 8
    mov di, numbers
again:
    call latch
    mov [di], ax
    inc di
    inc di
    call newline                ; takes a little time
    loop again
    mov cx, 7                   ; each is another
    mov si, numbers
.next:
    lodsw
    cmp ax, [si]
    je same
    loop .next
    in ax, 0x40                 ; one byte of two counters
    mov bl, al
    in al, 0x40                 ; the other one of counter 0
    mov si, differ
    call print
same:
    cli
    hlt

; counter 0 into AX
latch:
    mov al, 0x00
    out 0x43, al
    in al, 0x40
    mov ah, al
    in al, 0x40
    xchg al, ah
    ret

%include "print.inc"

differ: db "Eight numbers.", 0
numbers equ 0x600

times 510 - ($ - $$) db 0
dw 0xaa55

; entry: what a boot sector finds when it starts
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: AX BX CX DX, SI DI BP SP, DS ES SS CS, FLAGS, the return address on the stack, the memory below 640 KiB
;
; The firmware jumps to 0000:7C00 with the drive in DL. Nothing else is agreed upon: programs should not count on
; the other registers, but many do, so they are here as SeaBIOS leaves them. Interrupts are on, the direction flag
; is clear.
;
; Run:    stepvisor run guests/bin/entry.bin
; Debug:  stepvisor debug guests/bin/entry.elf
;         (gdb) info registers
;         (gdb) x/2hx $sp                 where a far return leads
;         (gdb) monitor ivt
;         (gdb) monitor bda

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:                           ; CS is 0 now in any case
    pushf
    push cs
    push ss
    push es
    push ds
    push bp
    push di
    push si
    push dx
    push cx
    push bx
    push ax
    mov bp, sp
    mov cx, 12
.next:
    mov ax, [bp]                ; by way of SS
    call hex16
    mov al, ' '
    call putc
    inc bp
    inc bp
    loop .next
    call newline
    mov ax, bp                  ; SP as it was
    call hex16
    call newline
    mov ax, [bp + 2]
    call hex16
    mov ax, [bp]
    call hex16
    call newline
    mov ax, [0x413]             ; by way of DS, which is 0
    call hex16
    cli
    hlt

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

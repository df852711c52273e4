; board: what the BIOS says of the machine
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: equipment, memory sizes, the memory map, model, A20, APM
;
; INT 11h and INT 12h give equipment and conventional memory in AX. INT 15h is for the rest: AH=88 and AX=E801
; the memory above 1 MiB, AX=E820 a map of it, AH=C0 a table with the model, AX=2402 the state of address line
; A20, AX=5300 whether there is power management.
;
; Run:    stepvisor run guests/bin/board.bin
; Debug:  stepvisor debug guests/bin/board.elf
;         (gdb) tbreak entry
;         (gdb) continue
;         (gdb) x/5xw &buffer             start, length and kind of a piece of memory

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    cld
    int 0x11
    call hex16
    call space
    int 0x12
    call hex16
    call space
    mov ah, 0x88
    int 0x15
    jc failed
    call hex16
    call space
    mov ax, 0xe801
    int 0x15
    jc failed
    call hex16                  ; KiB from 1 to 16 MiB
    call space
    mov ax, bx                  ; pieces of 64 KiB above that
    call hex16
    call newline

    xor ebx, ebx
map:
    mov eax, 0xe820
    mov edx, 0x534d4150         ; "SMAP"
    mov ecx, 20
    mov di, buffer
    int 0x15
    jc failed
entry:
    mov ax, [buffer + 2]        ; all below 4 GiB
    call hex16
    mov ax, [buffer]
    call hex16
    call space
    mov ax, [buffer + 10]
    call hex16
    mov ax, [buffer + 8]
    call hex16
    call space
    mov al, [buffer + 16]       ; 1 is usable, 2 is not
    call hex8
    call newline
    test ebx, ebx
    jnz map

    mov ah, 0xc0
    int 0x15
    jc failed
    mov al, [es:bx + 2]
    call hex8                   ; FC: a PC/AT
    call space
    mov ax, 0x2402
    int 0x15
    jc failed
    call hex8                   ; 01: A20 is on
    call space
    mov ax, 0x5300
    xor bx, bx
    int 0x15
    jc failed
    call hex16                  ; version
    call space
    mov al, bh
    call putc
    mov al, bl
    call putc
    call space
    mov ah, 0x99                ; there is no such function
    int 0x15
    jnc failed
    call hex16
    cli
    hlt

failed:
    mov al, '?'
    call putc
    cli
    hlt

space:
    mov al, ' '
    jmp putc

%include "print.inc"

buffer equ 0x600

times 510 - ($ - $$) db 0
dw 0xaa55

; shifts: Shift and the locks by INT 16h and in the data area
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the keys; then AH=02, bytes 417 and 497
;
; 0040:0017 tells which of the keys Shift, Ctrl and Alt are down (bits 0 to 3) and which locks are on (ScrollLock 4,
; NumLock 5, CapsLock 6); INT 16h AH=02 gives it in AL. 0040:0097 has the lights of the keyboard, which the BIOS
; sets by the controller. It is how things are now, and not when the key was pressed: by then Shift may be up again.
;
; Run:    stepvisor run guests/bin/shifts.bin --keys 'a{CapsLock}aA{NumLock}{KP7}{Esc}'
; Debug:  stepvisor debug guests/bin/shifts.elf
;         (gdb) break got
;         (gdb) continue
;         (gdb) monitor bda
;         (gdb) monitor keyboard          the lights

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
next:
    mov ah, 0x00
    int 0x16
got:
    call hex16                  ; a, A, a, and 7 in place of Home
    push ax
    mov al, ' '
    call putc
    pop ax
    cmp al, 27
    jne next
    call newline
    mov ah, 0x02
    int 0x16
    call hex8
    mov al, [0x417]
    call hex8
    mov al, [0x497]
    and al, 0x07
    call hex8
    cli
    hlt

%include "print.inc"

times 510 - ($ - $$) db 0
dw 0xaa55

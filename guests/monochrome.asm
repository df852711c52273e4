; monochrome: mode 7: text as on a monochrome adapter, at B0000
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: bright, underlined and inverse text; the CRT controller's port
;
; The first text adapter had its memory at B000:0000 and its CRT controller at 3B4. Attributes were no colours: 07
; normal, 0F bright, 01 underlined, 70 inverse, with bit 7 blinking. A VGA does the same in mode 7.
;
; Run:    stepvisor run guests/bin/monochrome.bin
; Debug:  stepvisor debug guests/bin/monochrome.elf
;         (gdb) tbreak show
;         (gdb) continue
;         (gdb) monitor vga
;         (gdb) x/4bx 0xb0000

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ax, 0x0007
    int 0x10
show:
    mov ax, 0xb000
    mov es, ax
    xor di, di
    mov si, text
    cld
    mov cx, 4
.word:
    lodsb
    mov ah, al                  ; the attribute
.next:
    lodsb
    test al, al
    jz .end
    stosw
    jmp .next
.end:
    add di, 2
    loop .word
    mov ah, 0x02
    mov bh, 0
    mov dx, 0x0200
    int 0x10
    mov ax, [0x463]
    call hex16                  ; 03B4
    mov ah, 0x0f
    int 0x10
    call hex16                  ; 5007
    cli
    hlt

%include "print.inc"

text:
    db 0x07, "normal", 0, 0x0f, "bright", 0, 0x01, "underlined", 0, 0x70, "inverse", 0

times 510 - ($ - $$) db 0
dw 0xaa55

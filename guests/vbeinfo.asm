; vbeinfo: VBE: what the video BIOS can do, and which modes it has
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: its signature and version, KiB in units of 64, and mode 101h: attributes, size, bits a pixel, bytes a row
;
; INT 10h AX=4F00 fills 512 bytes at ES:DI, with the modes' numbers behind a far pointer at offset 14; AX=4F01
; describes mode CX in 256 bytes; AX=4F03 gives the present mode in BX. AL is 4F if there is such a function, AH 0
; if it worked.
;
; Run:    stepvisor run guests/bin/vbeinfo.bin
; Debug:  stepvisor debug guests/bin/vbeinfo.elf
;         (gdb) tbreak known
;         (gdb) continue
;         (gdb) x/s 0x1000
;         (gdb) x/2hx 0x100e              the list of modes

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
    mov ax, 0x4f00
    mov di, info
    mov dword [di], "VBE2"      ; more than VBE 1 gives
    int 0x10
    cmp ax, 0x004f
    jne failed
    mov si, info
    mov cx, 4
.signature:
    lodsb
    call putc
    loop .signature
known:
    mov ax, [info + 4]
    call hex16
    mov ax, [info + 18]
    call hex16
    call newline
    lds si, [info + 14]         ; is 101h in the list?
.next:
    lodsw
    cmp ax, 0x0101
    je .found
    cmp ax, 0xffff
    jne .next
.found:
    xor cx, cx
    mov ds, cx
    call hex16
    call newline
    mov ax, 0x4f01
    mov cx, 0x0101
    mov di, info
    int 0x10
    cmp ax, 0x004f
    jne failed
    mov ax, [info]
    call hex16
    call newline
    mov ax, [info + 18]
    call hex16
    mov ax, [info + 20]
    call hex16
    mov al, [info + 25]
    call hex8
    mov ax, [info + 16]
    call hex16
    call newline
    mov ax, 0x4f03
    int 0x10
    mov ax, bx
    call hex16                  ; 0003
failed:
    cli
    hlt

%include "print.inc"

info equ 0x1000

times 510 - ($ - $$) db 0
dw 0xaa55

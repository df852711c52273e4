; colours: the way of a text colour through the attribute controller's palette and the DAC
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: three rows: `palette` in orange, `DAC` in pink, `bright background` on a bright blue background
;
; An attribute has 4 bits for the foreground: one of 16 colours. The attribute controller has a palette of 16 entries
; that turns it into a number of 6 bits, and the DAC a colour of 18 bits for that number. So there are two places to change
; how a colour looks. And bit 7 of the attribute makes text blink, or the background bright, as the attribute
; controller's mode control register says.
;
; Debug:  stepvisor debug guests/bin/colours.elf
;         (gdb) break palette
;         (gdb) continue
;         (gdb) monitor vga               the colours as they are at power-on
;         (gdb) break halt
;         (gdb) continue
;         (gdb) monitor vga               colours 4 and 5 are others
;         (gdb) monitor screen colours.png

bits 16
cpu 386
global start

ATTRIBUTE   equ 0x3c0           ; index and data in turn
ATTRIBUTE_READ equ 0x3c1
STATUS      equ 0x3da           ; reading it makes an index next
DAC_WRITE   equ 0x3c8
MODE        equ 0x10            ; register of the attribute controller
SHOW        equ 0x20            ; with this bit in the index the picture is shown, else the border's colour
BLINK       equ 0x08

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    cld

    mov ax, 0xb800
    mov es, ax

text:
    mov si, first
    mov ah, 0x04                ; red on black
    xor di, di
    call print
    mov ah, 0x05                ; magenta on black
    mov di, 160
    call print
    mov ah, 0x9f                ; white on blue, bit 7 set
    mov di, 320
    call print

palette:                        ; colour 4 is number 34h now: of the 64 that the BIOS loads, orange
    mov dx, STATUS
    in al, dx
    mov dx, ATTRIBUTE
    mov al, 4
    out dx, al
    mov al, 0x34
    out dx, al
    mov al, SHOW
    out dx, al

dac:                            ; number 5, which is colour 5: red, green and blue of 6 bits
    mov dx, DAC_WRITE
    mov al, 5
    out dx, al
    inc dx
    mov al, 63
    out dx, al
    mov al, 30
    out dx, al
    mov al, 45
    out dx, al

background:
    mov dx, STATUS
    in al, dx
    mov dx, ATTRIBUTE
    mov al, MODE | SHOW
    out dx, al
    inc dx
    in al, dx
    dec dx
    and al, ~BLINK
    out dx, al                  ; the data for the index above

halt:
    cli
    hlt
    jmp halt

; Prints the text at SI to ES:DI in the colour AH.
print:
    lodsb
    or al, al
    jz .end
    stosw
    jmp print
.end:
    ret

first:
    db 'palette', 0, 'DAC', 0, 'bright background', 0

    times 510-($-$$) db 0
    dw 0xaa55

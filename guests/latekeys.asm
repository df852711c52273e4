; latekeys: a keyboard handler that is in place only after the interrupts have been enabled
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt, after Escape
; screen: row 0 has the scan codes in hexadecimal
; keys: say with --keys what to type
;
; Many kernels enable interrupts first, with a handler for all lines that only sends EOI, and set up their drivers
; after that. A key that comes in between stays in the controller's output buffer, and as long as nobody reads it from
; there, no other key comes: line 1 stays high, so there is no edge. A person types later, when there is something
; on the screen; so does what is typed ahead: no earlier than 500 ms after the controllers were told other vectors.
;
; Run:    stepvisor run --keys 'ab{Esc}' guests/bin/latekeys.bin
; Debug:  stepvisor debug guests/bin/latekeys.elf
;         (gdb) break key
;         (gdb) monitor key a
;         (gdb) continue

bits 16
cpu 386
global start

PIC1   equ 0x20
PIC2   equ 0xa0
ICW1   equ 0x11                 ; ICW4 follows, two controllers, edges
ICW4   equ 0x01                 ; 8086 mode
EOI    equ 0x20
FIRST  equ 0x20                 ; the vector of line 0
DATA   equ 0x60
VIDEO  equ 0xb800
TICKS  equ 2                    ; about 110 ms
ESCAPE equ 0x01

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, VIDEO
    mov es, ax
    cld
    xor di, di                  ; row 0

    mov word [FIRST * 4], tick
    mov word [FIRST * 4 + 2], 0
    mov word [(FIRST + 1) * 4], ignore
    mov word [(FIRST + 1) * 4 + 2], 0

    mov al, ICW1
    out PIC1, al
    out PIC2, al
    mov al, FIRST               ; ICW2: the vectors
    out PIC1 + 1, al
    mov al, FIRST + 8
    out PIC2 + 1, al
    mov al, 0x04                ; ICW3: the second is at line 2 of the first
    out PIC1 + 1, al
    mov al, 0x02
    out PIC2 + 1, al
    mov al, ICW4
    out PIC1 + 1, al
    out PIC2 + 1, al
    mov al, 0xfc                ; lines 0 and 1
    out PIC1 + 1, al
    mov al, 0xff
    out PIC2 + 1, al

    sti
.others:                        ; the other drivers
    hlt
    cmp byte [ticks], TICKS
    jb .others
    mov word [(FIRST + 1) * 4], key

wait_escape:
    hlt
    cmp byte [done], 0
    je wait_escape
halt:
    cli
    hlt
    jmp halt

tick:
    push ax
    inc byte [cs:ticks]
    mov al, EOI
    out PIC1, al
    pop ax
    iret

; It does not read the code.
ignore:
    push ax
    mov al, EOI
    out PIC1, al
    pop ax
    iret

key:
    push ax
    in al, DATA
    cmp al, ESCAPE
    jne .show
    inc byte [cs:done]
.show:
    call show_code
    mov al, EOI
    out PIC1, al
    pop ax
    iret

; Writes AL as two hex digits and a blank.
show_code:
    push ax
    shr al, 4
    call .digit
    pop ax
    and al, 0x0f
    call .digit
    add di, 2
    ret
.digit:
    cmp al, 10
    jb .decimal
    add al, 'A' - '0' - 10
.decimal:
    add al, '0'
    mov ah, 0x0f
    stosw
    ret

ticks:
    db 0
done:
    db 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

; keyirq: the keyboard's interrupt, IRQ 1
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt, after Escape
; screen: row 0 has the scan codes in hexadecimal
; keys: say with --keys what to type
;
; The keyboard controller raises line 1, vector 9, for each byte that it has. The handler takes the byte from port 60;
; only then can the next one come. It puts the codes into a ring, from which the program takes them: the
; program waits in HLT, and costs nothing while nobody types.
;
; Run:    stepvisor run --keys 'ab{Esc}' guests/bin/keyirq.bin
; Debug:  stepvisor debug guests/bin/keyirq.elf
;         (gdb) break key
;         (gdb) monitor key a
;         (gdb) continue
;         (gdb) backtrace                 the handler, and where it interrupted
;         (gdb) monitor keyboard          the code waits in the output buffer

bits 16
cpu 386
global start

PIC      equ 0x20
PIC_MASK equ 0x21
EOI      equ 0x20
DATA     equ 0x60
VECTOR   equ 9
VIDEO    equ 0xb800
ESCAPE   equ 0x01
RING     equ 0x0600             ; 256 bytes

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

    mov word [VECTOR * 4], key
    mov word [VECTOR * 4 + 2], 0
    mov al, 0xfd                ; no line but 1
    out PIC_MASK, al

wait_key:
    cli
    movzx bx, byte [read]
    cmp bl, [written]
    jne got
    sti
    hlt
    jmp wait_key
got:
    sti
    mov al, [RING + bx]
    inc byte [read]
    call show_code
    cmp al, ESCAPE
    jne wait_key

halt:
    cli
    hlt
    jmp halt

; Writes AL as two hex digits and a blank.
show_code:
    push ax
    push ax
    shr al, 4
    call .digit
    pop ax
    and al, 0x0f
    call .digit
    pop ax
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

key:
    push ax
    push bx
    in al, DATA
    movzx bx, byte [cs:written]
    mov [cs:RING + bx], al
    inc byte [cs:written]
    mov al, EOI
    out PIC, al
    pop bx
    pop ax
    iret

read:
    db 0
written:
    db 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

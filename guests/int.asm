; int: software interrupts with handlers of one's own
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 0 reads INT 21h: AB  INT 60h: 42  flags 0CD5 came back 0CD5
;
; `int n` pushes FLAGS, CS and IP, clears IF and TF, and jumps to the far pointer at 0000:n*4: the
; interrupt vector table. `iret` pops the three again. This is how DOS and BIOS services are called.
; Here INT 21h prints the character in AL, and INT 60h prints AL as two hex digits, by INT 21h.
;
; A handler may be called with any DS, ES and direction flag, so it sets what it uses and gives back
; what it changed. The flags need no care: iret restores the caller's. To show it, the caller sets the
; flags 0CD5 (overflow, direction, sign, zero, auxiliary, parity, carry), which the handler destroys.
;
; Debug:  stepvisor debug guests/bin/int.elf
;         (gdb) break put_char
;         (gdb) continue
;         (gdb) x/3hx $sp                 IP, CS, FLAGS of the caller
;         (gdb) x/2hx 0x21*4              the vector: offset and segment of put_char
;         (gdb) delete
;         (gdb) break flags_back
;         (gdb) continue
;         (gdb) print $eflags             CF PF AF ZF SF DF OF, as before the int

bits 16
cpu 386
global start

VIDEO      equ 0xb800           ; segment of colour text memory, linear B8000
COLOR      equ 0x0b             ; light cyan on black
TEST_FLAGS equ 0x0cd5           ; OF DF SF ZF AF PF CF; not IF, not TF

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

    ; DS is 0, so the vector table is at DS:0. Each vector is an offset and a segment.
    mov word [0x21 * 4], put_char
    mov word [0x21 * 4 + 2], 0x0000
    mov word [0x60 * 4], put_hex
    mov word [0x60 * 4 + 2], 0x0000

    mov si, text_21
    call print
    mov al, 'A'
first_int:
    int 0x21                    ; once
    mov al, 'B'
    int 0x21                    ; twice
    push ax                     ; keep the B, print changes AL
    mov si, text_60
    call print
    pop ax
    int 0x60                    ; 'B' is 42h; the handler itself uses INT 21h

    mov si, text_flags
    call print
    mov bx, TEST_FLAGS
    call put_word
    mov si, text_back
    call print

    mov ax, TEST_FLAGS
    push ax
    popf                        ; FLAGS = TEST_FLAGS
    mov al, ' '
    int 0x21                    ; changes CF, ZF, DF and others, inside
flags_back:
    pushf                       ; and here they are again
    pop bx
    cld
    and bx, TEST_FLAGS          ; without the bits that are always set
    call put_word

halt:
    cli
    hlt
    jmp halt

; Prints the text at DS:SI, which ends with a zero byte. Changes AL and SI.
print:
    lodsb
    test al, al
    jz .end
    int 0x21
    jmp print
.end:
    ret

; Prints BX as four hex digits. Changes AL.
put_word:
    mov al, bh
    int 0x60
    mov al, bl
    int 0x60
    ret

; INT 21h: prints the character AL at the cursor. Changes no register.
put_char:
    push ax
    push di
    push ds
    push es
    cld                         ; the caller's DF is unknown (iret will restore it)
    mov di, VIDEO
    mov es, di
    xor di, di
    mov ds, di                  ; our variable is in segment 0
    mov di, [cursor]
    mov ah, COLOR
    stosw
    mov [cursor], di
    pop es
    pop ds
    pop di
    pop ax
    iret

; INT 60h: prints AL as two hex digits. Changes no register.
put_hex:
    push ax
    push ax
    shr al, 4                   ; the upper digit
    call .digit
    pop ax
    and al, 0x0f                ; the lower one
    call .digit
    pop ax
    iret
.digit:
    cmp al, 10
    jb .decimal
    add al, 'A' - '0' - 10
.decimal:
    add al, '0'
    int 0x21                    ; an interrupt within an interrupt
    ret

text_21:
    db "INT 21h: ", 0
text_60:
    db "  INT 60h: ", 0
text_flags:
    db "  flags ", 0
text_back:
    db " came back", 0

    align 2, db 0
cursor:
    dw 0                        ; offset in video memory of the next character

    times 510 - ($ - $$) db 0
    dw 0xaa55

; faults: a divide error and an invalid opcode, caught by the guest's own handlers
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: three rows: the divide error and where it was, the invalid opcode and where, "Still running."
;
; When an instruction cannot be carried out the processor raises an exception: it does what `int n`
; does, with a vector of its own, but the IP it pushes is that of the *faulting* instruction, so that a
; handler may repair the cause and try again. These handlers cannot repair anything. They report the
; place, move the pushed IP past the instruction, and return. Forget that step and the guest faults
; for ever.
;
; Vector 0 is #DE, divide error: division by zero or a quotient that does not fit.
; Vector 6 is #UD, invalid opcode: ud2 is the opcode that is guaranteed to be one.
;
; Debug:  stepvisor debug guests/bin/faults.elf
;         (gdb) break divide
;         (gdb) continue
;         (gdb) stepi                     not after the div: in on_divide_error
;         (gdb) x/3hx $sp                 IP (of the div), CS, FLAGS
;         (gdb) tbreak after_divide
;         (gdb) continue                  the handler returned behind the div
;         (gdb) monitor screen

bits 16
cpu 686
global start

VIDEO     equ 0xb800            ; segment of colour text memory, linear B8000
ROW_BYTES equ 80 * 2
COLOR     equ 0x0c              ; light red on black

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00

    mov word [0 * 4], on_divide_error ; DS is 0: the vector table, offset and segment
    mov word [0 * 4 + 2], 0x0000
    mov word [6 * 4], on_invalid_opcode
    mov word [6 * 4 + 2], 0x0000

    xor dx, dx
    mov ax, 1234                ; DX:AX is divided
    xor bx, bx                  ; by zero
divide:
    div bx                      ; #DE
after_divide:

invalid:
    ud2                         ; #UD
after_invalid:

    mov si, text_end
    call print_row

halt:
    cli
    hlt
    jmp halt

; Both faulting instructions are two bytes long; the handlers rely on it.
FAULTING_LENGTH equ 2
%if after_divide - divide != FAULTING_LENGTH || after_invalid - invalid != FAULTING_LENGTH
    %error "the handlers skip FAULTING_LENGTH bytes"
%endif

on_divide_error:
    pusha                       ; the interrupted code may have anything in its registers
    mov si, text_divide
    jmp report

on_invalid_opcode:
    pusha
    mov si, text_invalid

; The common part. On the stack: eight registers by pusha (16 bytes), then IP, CS, FLAGS.
report:
    push ds
    push es
    mov bp, sp                  ; [BP]: ES, DS, then what is said above
PUSHED_IP equ 4 + 16
    xor ax, ax
    mov ds, ax
    mov bx, [bp + PUSHED_IP]
    call print_row
    add word [bp + PUSHED_IP], FAULTING_LENGTH
    pop es
    pop ds
    popa
    iret                        ; to the instruction after

; Prints the text at DS:SI, which ends with a zero byte, in the next row; a '#' in it becomes BX as four
; hex digits. Changes AX, BX, CX, SI, DI, ES.
print_row:
    cld
    mov ax, VIDEO
    mov es, ax
    mov di, [row]
    add word [row], ROW_BYTES
    mov ah, COLOR
.next:
    lodsb
    test al, al
    jz .end
    cmp al, '#'
    je .number
    stosw
    jmp .next
.number:
    mov cx, 4
.digit:
    rol bx, 4                   ; the highest digit first
    mov al, bl
    and al, 0x0f
    cmp al, 10
    jb .decimal
    add al, 'A' - '0' - 10
.decimal:
    add al, '0'
    stosw
    loop .digit
    jmp .next
.end:
    ret

text_divide:
    db "Divide error at 0000:#, stepping past it.", 0
text_invalid:
    db "Invalid opcode at 0000:#, stepping past it.", 0
text_end:
    db "Still running.", 0

    align 2, db 0
row:
    dw 0                        ; offset in video memory of the next row

    times 510 - ($ - $$) db 0
    dw 0xaa55

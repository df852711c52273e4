; triple: a triple fault on purpose
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: triple fault at the label `fault`: the processor shuts down
; screen: row 0 says that it is about to happen
;
; An exception whose handler cannot be reached raises another, the double fault; when that has no
; handler either, the processor gives up. A PC's board then pulls the reset line, and the machine boots
; again and again. A VMM gets a "shutdown" exit instead, and a debugger can look at the moment it happened.
;
; This guest enters protected mode with an interrupt descriptor table that has no entry, and executes
; an invalid opcode: #UD finds no gate, so #GP, no gate, so #DF, no gate: shutdown.
;
; Debug:  stepvisor debug guests/bin/triple.elf
;         (gdb) continue                  stops with the triple fault
;         (gdb) x/i $pc                   ud2, at `fault`
;         (gdb) info registers            as they were

bits 16
cpu 686
global start

VIDEO  equ 0xb800
COLOR  equ 0x4f                 ; white on red
CR0_PE equ 1

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

    mov ax, VIDEO
    mov es, ax
    xor di, di
    mov ah, COLOR
    mov si, text
next_char:
    lodsb
    test al, al
    jz switch
    stosw
    jmp next_char

switch:
    lgdt [gdt_pointer]
    lidt [no_idt]               ; no vector has a gate now
    mov eax, cr0
    or eax, CR0_PE
    mov cr0, eax
    jmp CODE:protected_entry

bits 32
protected_entry:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7c00
    mov eax, 0x600dbeef         ; something to find in the registers afterwards
fault:
    ud2                         ; the end
never:
    jmp never                   ; not reached

text:
    db "About to triple fault.", 0

; `protected` explains the fields.
    align 8, db 0
gdt:
    dq 0
gdt_code:
    dw 0xffff, 0x0000
    db 0x00, 10011010b, 11001111b, 0x00
gdt_data:
    dw 0xffff, 0x0000
    db 0x00, 10010010b, 11001111b, 0x00
gdt_end:

CODE equ gdt_code - gdt
DATA equ gdt_data - gdt

gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt

no_idt:
    dw 0                        ; limit 0: not even one whole gate (a limit is the last valid byte)
    dd 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

; calls: who called? Near and far calls, frames, an interrupt, in real and in 32-bit protected mode
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 0 reads NFFPTINPI
;
; A near call pushes IP, a far call CS and IP, an interrupt FLAGS, CS and IP. Nothing on the stack says which
; of them it was, nor what else was pushed since: only the code knows, by its `ret`, `retf` or `iret` and by
; what it pops before. Some routines keep a frame pointer in BP, as compilers do, others do not.
;
; Here the code runs at CS = 07C0 and the stack is at SS = 0900, so that no offset is a linear address.
;
; Debug:  stepvisor debug guests/bin/calls.elf
;         (gdb) break put
;         (gdb) continue
;         (gdb) bt                        put, nearby, main
;         (gdb) finish                    back in nearby
;         (gdb) delete
;         (gdb) break tick
;         (gdb) continue
;         (gdb) bt                        over the interrupt, two frames and a far call
;         (gdb) up
;         (gdb) regs16                    the registers of that frame
;         (gdb) stack
;         (gdb) break in_32
;         (gdb) continue
;         (gdb) next                      and so on, over each call

bits 16
cpu 386
global start

CODE    equ 0x07c0              ; 07C0 * 16 = 7C00
STACK   equ 0x0900              ; 9000h
VIDEO   equ 0xb800              ; colour text memory, linear B8000
COLOR   equ 0x0a                ; light green on black
CR0_PE  equ 1 << 0
SERVICE equ 0x60                ; the vector in real mode
TRAP    equ 0x30                ; the vector in protected mode

%define OFFSET(label) ((label) - start)

section .text
start:
    cli
    jmp CODE:OFFSET(main)

main:
    mov ax, STACK
    mov ss, ax
    mov sp, 0x0400
    mov ax, VIDEO
    mov es, ax
    xor di, di
    xor bp, bp
    mov ds, bp                  ; DS = 0: the vector table
    mov word [SERVICE * 4], OFFSET(tick)
    mov word [SERVICE * 4 + 2], CODE
    push cs
    pop ds
    cld

    call nearby
    call CODE:OFFSET(faraway)
    call far [OFFSET(far_pointer)]
    push word 'P'               ; an argument, which the routine takes off
    call with_frame
    jmp to_32

; N, without a frame pointer.
nearby:
    push ax
    mov al, 'N'
    call put
    pop ax
    ret

; F, called far. It keeps SI on the stack meanwhile.
faraway:
    push si
    mov al, 'F'
    call put
    pop si
    retf

; Its argument, by a frame pointer, with room for two words. Then T, deeper.
with_frame:
    push bp
    mov bp, sp
    sub sp, 4
    mov word [bp - 2], OFFSET(after_call) ; looks like a return address, and is none
    mov al, [bp + 4]
    call put
after_call:
    push word 'T'
    call deeper
    mov sp, bp
    pop bp
    ret 2

deeper:
    push bp
    mov bp, sp
    mov al, [bp + 4]
    call CODE:OFFSET(distant)
    pop bp
    ret 2

; Prints AL, and I from within an interrupt.
distant:
    call put
    mov al, 'I'
    int SERVICE
    retf

; The interrupt handler. It saves all registers.
tick:
    pusha
    call put
    popa
    add di, 2                   ; but DI, which moves on
    iret

; AL to the screen.
put:
    mov ah, COLOR
    stosw
    ret

far_pointer:
    dw OFFSET(faraway), CODE

to_32:
    lgdt [OFFSET(gdt_pointer)]
    lidt [OFFSET(idt_pointer)]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp dword CODE32:in_32

bits 32
in_32:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x9800
    mov edi, VIDEO * 16 + 2 * 6
    mov word [idt + TRAP * 8], trap
    mov word [idt + TRAP * 8 + 2], CODE32
    mov dword [idt + TRAP * 8 + 4], 0x8e00 ; present, 32-bit interrupt gate; the offset is below 64 KiB
    call near_32
    push dword 'P'
    call with_frame_32
halt:
    cli
    hlt
    jmp halt

near_32:
    push esi
    mov al, 'N'
    call put_32
    pop esi
    ret

with_frame_32:
    push ebp
    mov ebp, esp
    sub esp, 16
    mov al, [ebp + 8]
    call put_32
    mov al, 'I'
    int TRAP
    leave
    ret 4

trap:
    push eax
    call put_32
    pop eax
    iretd

put_32:
    mov ah, COLOR
    stosw
    ret

    align 8, db 0
gdt:
    dq 0
gdt_code32:
    dw 0xffff, 0x0000
    db 0x00, 10011010b, 11001111b, 0x00
gdt_data:
    dw 0xffff, 0x0000
    db 0x00, 10010010b, 11001111b, 0x00
gdt_end:

CODE32 equ gdt_code32 - gdt
DATA   equ gdt_data - gdt

gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt

idt     equ 0x1000              ; in free memory, all zero but for the one gate
idt_pointer:
    dw (TRAP + 1) * 8 - 1
    dd idt

    times 510 - ($ - $$) db 0
    dw 0xaa55

; pushdraw: a stack in video memory
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 1: a bar drawn by PUSH; row 0: "All came back."
;
; Small demos draw with PUSH, which writes a word and moves on at once. The rest of the stack is on the screen then, too:
; an interrupt leaves its frame there, a call its return address. Each byte comes back from video memory as it went in.
;
; Run:    stepvisor run guests/bin/pushdraw.bin
; Debug:  stepvisor debug guests/bin/pushdraw.elf
;         (gdb) break handler
;         (gdb) continue
;         (gdb) x/3hx $sp                 IP, CS and FLAGS, in video memory
;         (gdb) monitor screen

bits 16
cpu 386
global start

VIDEO   equ 0xb800
ROW     equ 160                 ; bytes
BOTTOM  equ 20 * ROW            ; the stack

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov word [0x60 * 4], handler
    mov [0x60 * 4 + 2], ax
    mov ax, VIDEO
    mov es, ax
    mov ss, ax
    cld

    mov sp, 1 * ROW + 80
    mov ax, 0x1fdb              ; a block
    mov cx, 40
.bar:
    push ax
    loop .bar

    mov sp, BOTTOM
    mov edx, 0x55aa1234
    int 0x60                    ; FLAGS, CS, IP and back
    call 0x0000:far_away        ; CS, IP and back
    pushad
    mov esi, 0
    mov edx, 0
    popad
    pusha
    mov bx, 0
    popa
    cmp edx, 0x55aa1234
    jne wrong
    cmp esi, 0x1111
    jne wrong
    cmp bx, 0x2222
    jne wrong
    cmp sp, BOTTOM
    jne wrong
    push word [flags]
    popf
    mov si, right
    jmp say
wrong:
    mov si, not_right
say:
    mov di, 0
    mov ah, 0x0f
.next:
    lodsb
    test al, al
    jz halt
    stosw
    jmp .next
halt:
    mov di, 15 * ROW            ; what was on the stack
    mov cx, (BOTTOM - 15 * ROW) / 2
    mov ax, 0x0720
    rep stosw
    cli
    hlt
    jmp halt

handler:
    mov esi, 0x1111
    iret

far_away:
    mov bx, 0x2222
    retf

flags:
    dw 2
right:
    db "All came back.", 0
not_right:
    db "Something was lost.", 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

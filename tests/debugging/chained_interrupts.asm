; Handlers of INT 8 and INT 9 before those of the BIOS, two at each: one goes on to what was there by a far
; jump, one calls it behind a PUSHF.
;
; load: 0x7c00
; format: elf32

bits 16
global start

section .text
start:
    xor ax, ax
    mov ds, ax
    mov es, ax
    cld
    cli
    mov si, 0x08 * 4            ; both vectors in one piece
    mov di, bios_timer
    movsd
    movsd
    mov dword [0x08 * 4], timer
    mov dword [0x09 * 4], keyboard
wait_for_interrupt:             ; all of them come at the HLT
    sti
    hlt
    cli
    jmp wait_for_interrupt

timer:                          ; jumps to one that calls the BIOS's
    push ax
    pop ax
    jmp far [cs:next_timer]

second_timer:
    pushf
    call far [cs:bios_timer]
    iret

keyboard:                       ; calls one that jumps to the BIOS's
    push ds
    push cs
    pop ds
    pushf
    call far [next_keyboard]
    pop ds
    iret

second_keyboard:
    nop
    jmp far [cs:bios_keyboard]

align 4
next_timer: dw second_timer, 0
next_keyboard: dw second_keyboard, 0
bios_timer: dd 0
bios_keyboard: dd 0

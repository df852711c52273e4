; cs07c0: a boot sector that runs with CS = 07C0, and calls near and far
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 0 reads 1[2][3][4]***** CS=07C0
;
; In real mode the processor fetches from CS * 16 + IP. The boot sector is at linear 7C00, so CS:IP may
; be 0000:7C00 as well as 07C0:0000, and many other pairs. This one jumps to 07C0:xxxx at once: offsets
; then count from 0, the start of the sector.
;
; For the debugger there is one address, the linear one. The linker places the code at 7C00, so symbols
; and lines are linear addresses. Where the *code* needs an offset within segment 07C0, it takes the
; distance from the start of the sector: OFFSET(label). Near jumps and near calls need nothing, they
; are relative to IP.
;
; Run:    stepvisor run guests/bin/cs07c0.bin
; Debug:  stepvisor debug guests/bin/cs07c0.elf
;         (gdb) break far_mark
;         (gdb) continue
;         (gdb) print/x $cs               07C0, and $pc is linear: 7Cxx
;         (gdb) x/2hx $sp                 a far call pushed IP, then CS above it
;         (gdb) continue                  again, by the pointer in memory
;         (gdb) continue                  and again, this time with CS = 0
;         (gdb) tbreak cs07c0.asm:72
;         (gdb) continue                  in the loop: print $cx

bits 16
cpu 386
global start

CODE    equ 0x07c0              ; 07C0 * 16 = 7C00
VIDEO   equ 0xb800              ; segment of colour text memory, linear B8000
COLOR   equ 0x0f                ; white on black

%define OFFSET(label) ((label) - start)

section .text
start:
    jmp CODE:OFFSET(main)    ; 0000:7C00 becomes 07C0:0005, the same memory

main:
    cli
    mov ax, cs
    mov ds, ax                  ; data by offsets from the start of the sector, too
    xor ax, ax
    mov ss, ax                  ; the stack is elsewhere: SS = 0, below 7C00
    mov sp, 0x7c00
    mov ax, VIDEO
    mov es, ax
    cld
    xor di, di                  ; row 0, column 0
    mov ah, COLOR

    mov al, '1'
    call near_mark              ; near: pushes IP, CS stays

    mov al, '2'
    call CODE:OFFSET(far_mark) ; far: pushes CS and IP, loads both

    mov al, '3'
    call far [OFFSET(far_pointer)] ; far, with the target in memory

    mov al, '4'
    call 0x0000:far_mark        ; the same routine by its other name: CS = 0, IP = 7Cxx

    mov cx, 5
again:
    mov al, '*'
    call near_mark
    loop again                  ; CX - 1, and back until it is 0

    mov si, OFFSET(text)
next_char:
    lodsb                       ; from DS:SI, DS = 07C0
    test al, al
    jz show_cs
    call near_mark
    jmp next_char

show_cs:
    mov dx, cs                  ; what CS really is: four hex digits
    mov cx, 4
next_digit:
    rol dx, 4                   ; the highest digit first
    mov al, dl
    and al, 0x0f
    cmp al, 10
    jb .decimal
    add al, 'A' - '0' - 10
.decimal:
    add al, '0'
    call near_mark
    loop next_digit

halt:
    cli
    hlt
    jmp halt

; Writes the character AL in the colour AH to ES:DI. Called near, so it ends with ret.
near_mark:
    stosw
    ret

; Writes AL in brackets. Called far, so it ends with retf, which pops IP and CS.
; It uses no address of its own but relative ones, so any CS that leads here will do.
far_mark:
    push ax
    mov al, '['
    call near_mark
    pop ax
    call near_mark
    mov al, ']'
    call near_mark
    retf

text:
    db " CS=", 0

far_pointer:
    dw OFFSET(far_mark)         ; in memory the offset comes first,
    dw CODE                  ; then the segment

    times 510 - ($ - $$) db 0
    dw 0xaa55

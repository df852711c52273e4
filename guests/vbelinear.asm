; vbelinear: 320x200 pixels of 32 bits by VBE, in the linear framebuffer, which protected mode reaches
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: 320x200: eight rows from black to red, across; eight in blue
;
; Debug:  stepvisor debug guests/bin/vbelinear.elf
;         (gdb) break draw
;         (gdb) continue
;         (gdb) p/x framebuffer
;         (gdb) break halt
;         (gdb) continue
;         (gdb) monitor screen vbe.png

bits 16
cpu 386
global start

MODE        equ 0x140           ; QEMU's number for 320x200 in 32 bits
LINEAR      equ 0x4000
INFORMATION equ 0x8000          ; where the firmware describes the mode
BASE        equ 0x28            ; in it: the physical address
PITCH       equ 0x10            ; and the bytes of a row

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00

    mov ax, 0x4f01              ; what is the mode like?
    mov cx, MODE
    mov di, INFORMATION
    int 0x10
    cmp ax, 0x004f
    jne halt
    mov ax, 0x4f02              ; set it
    mov bx, MODE | LINEAR
    int 0x10
    cmp ax, 0x004f
    jne halt
    mov eax, [INFORMATION + BASE]
    mov [framebuffer], eax

    cli
    lgdt [table]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 0x08:draw

bits 32
draw:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    cld
    mov edi, [framebuffer]
    movzx ebp, word [INFORMATION + PITCH]
    mov ebx, edi                ; the row that others are like
    xor ecx, ecx
.pixel:
    imul eax, ecx, 204          ; 0 to 319 as 0 to 254 of red
    and eax, 0xff00
    shl eax, 8
    stosd
    inc ecx
    cmp ecx, 320
    jb .pixel

    mov edx, 7                  ; seven more rows
.copy:
    add ebx, ebp
    mov edi, ebx
    mov esi, ebx
    sub esi, ebp
    mov ecx, 320
    rep movsd
    dec edx
    jnz .copy

    mov edx, 8                  ; and eight in blue
    mov eax, 0x000000ff
.blue:
    add ebx, ebp
    mov edi, ebx
    mov ecx, 320
    rep stosd
    dec edx
    jnz .blue

halt:
    cli
    hlt
    jmp halt

align 8
gdt:
    dq 0
    dq 0x00cf9a000000ffff       ; code of 32 bits, all of memory
    dq 0x00cf92000000ffff       ; data
table:
    dw table - gdt - 1
    dd gdt

framebuffer: dd 0

    times 510-($-$$) db 0
    dw 0xaa55

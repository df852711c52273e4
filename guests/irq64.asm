; irq64: interrupts of devices in long mode
;
; load: 0x7c00
; format: elf64
; entry: 0000:7c00
; ends: cli; hlt, in long mode
; screen: row 0 says that ten ticks have come
;
; As `irq32`, but a gate has 16 bytes, and the processor aligns the stack and always pushes SS and RSP as well, so that
; IRETQ takes five quadwords. The way into long mode is that of `long`, with one table less: this guest needs
; the first 2 MiB only.
;
; Debug:  stepvisor debug guests/bin/irq64.elf
;         (gdb) break tick
;         (gdb) continue
;         (gdb) x/5gx $rsp                RIP, CS, RFLAGS, RSP, SS
;         (gdb) monitor idt 0x20

bits 16
cpu x64
global start

PIC1      equ 0x20
PIC2      equ 0xa0
EOI       equ 0x20
FIRST     equ 0x20              ; the vector of line 0
COUNTER_0 equ 0x40
CONTROL   equ 0x43
COUNT     equ 1193
VIDEO     equ 0xb8000
MSR_EFER  equ 0xc0000080
LEVEL4    equ 0x1000            ; page tables
LEVEL3    equ 0x2000
LEVEL2    equ 0x3000

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    cld

    mov di, LEVEL4              ; three empty tables
    mov cx, 3 * 4096 / 2
    rep stosw
    mov word [LEVEL4], LEVEL3 | 11b
    mov word [LEVEL3], LEVEL2 | 11b
    mov word [LEVEL2], 10000011b ; the first 2 MiB

    lgdt [gdt_pointer]
    mov eax, cr4
    or al, 1 << 5               ; PAE
    mov cr4, eax
    mov eax, LEVEL4
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or ax, 1 << 8               ; LME
    wrmsr
    mov eax, cr0
    or eax, 1 << 31 | 1         ; paging and protection at once
    mov cr0, eax
    jmp CODE:long_entry

bits 64
long_entry:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov rsp, 0x7c00
    mov eax, tick               ; below 64 KiB
    mov [gate], ax
    lidt [idt_pointer]

    mov esi, words              ; the controllers and the timer: `irq32` explains the values
    mov ecx, (words_end - words) / 2
set_up:
    lodsw
    movzx edx, ah
    out dx, al
    loop set_up

wait_tick:
    cli
    cmp dword [ticks], 10
    jae done
    sti
    hlt
    jmp wait_tick

done:
    mov esi, text_done
    mov edi, VIDEO
    mov ah, 0x0f
.next:
    lodsb
    test al, al
    jz halt
    stosw
    jmp .next

halt:
    cli
    hlt
    jmp halt

tick:
    push rax
    inc dword [ticks]
    mov al, EOI
    out PIC1, al
    pop rax
    iretq

    align 4, db 0
ticks:
    dd 0
text_done:
    db "Ten ticks have come.", 0

words:                          ; value, port
    db 0x11, PIC1, 0x11, PIC2, FIRST, PIC1 + 1, FIRST + 8, PIC2 + 1
    db 0x04, PIC1 + 1, 0x02, PIC2 + 1, 0x01, PIC1 + 1, 0x01, PIC2 + 1
    db 0xfe, PIC1 + 1, 0xff, PIC2 + 1
    db 0x34, CONTROL, COUNT & 0xff, COUNTER_0, COUNT >> 8, COUNTER_0
words_end:

    align 8, db 0
gdt:
    dq 0
    dq 0x00209a0000000000       ; 64-bit code
gdt_pointer:
    dw $ - gdt - 1
    dd gdt
CODE equ 8

    align 8, db 0
gate:                           ; of vector 20 alone
    dw 0, CODE
    db 0, 0x8e                  ; present, ring 0, interrupt gate
    dw 0
    dd 0, 0
idt_pointer:
    dw FIRST * 16 + 15
    dq gate - FIRST * 16

    times 510 - ($ - $$) db 0
    dw 0xaa55

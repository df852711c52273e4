; irq32: interrupts of devices in protected mode, the controllers moved out of the way of the exceptions
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt, in protected mode
; screen: row 0 says that ten ticks have come
;
; Firmware has the controllers raise vectors 8 to 15 and 70 to 77. In protected mode 8 to 15 are exceptions: a tick of
; the timer would be taken for a double fault. So the controllers are told anew (ICW1 to ICW4, Intel 8259A data
; sheet): vectors 20 to 27 and 28 to 2F. The interrupt descriptor table has a gate for each vector; that of an
; interrupt gate enters its handler with interrupts off.
;
; Debug:  stepvisor debug guests/bin/irq32.elf
;         (gdb) break tick
;         (gdb) continue
;         (gdb) monitor idt 0x20
;         (gdb) monitor pic

bits 16
cpu 386
global start

PIC1      equ 0x20
PIC2      equ 0xa0
ICW1      equ 0x11              ; ICW4 follows, two controllers, edges
ICW4      equ 0x01              ; 8086 mode
EOI       equ 0x20
FIRST     equ 0x20              ; the vector of line 0
COUNTER_0 equ 0x40
CONTROL   equ 0x43
COUNT     equ 1193
VIDEO     equ 0xb8000

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
    lgdt [gdt_pointer]
    lidt [idt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp CODE:protected_entry

bits 32
protected_entry:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7c00

    mov eax, tick               ; the gate's offset is in two halves
    mov [gate], ax
    shr eax, 16
    mov [gate + 6], ax

    mov al, ICW1
    out PIC1, al
    out PIC2, al
    mov al, FIRST               ; ICW2: the vectors
    out PIC1 + 1, al
    mov al, FIRST + 8
    out PIC2 + 1, al
    mov al, 0x04                ; ICW3: the second is at line 2 of the first
    out PIC1 + 1, al
    mov al, 0x02
    out PIC2 + 1, al
    mov al, ICW4
    out PIC1 + 1, al
    out PIC2 + 1, al
    mov al, 0xfe                ; no line but 0
    out PIC1 + 1, al
    mov al, 0xff
    out PIC2 + 1, al

    mov al, 0x34                ; counter 0, mode 2
    out CONTROL, al
    mov al, COUNT & 0xff
    out COUNTER_0, al
    mov al, COUNT >> 8
    out COUNTER_0, al

    sti
wait_tick:
    cmp dword [ticks], 10       ; no HLT this time: a loop is interrupted as well
    jb wait_tick
    cli

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
    push eax
    inc dword [ticks]
    mov al, EOI
    out PIC1, al
    pop eax
    iret

    align 4, db 0
ticks:
    dd 0
text_done:
    db "Ten ticks have come.", 0

    align 8, db 0
gdt:
    dq 0
    dq 0x00cf9a000000ffff       ; 32-bit code, 4 GiB; `protected` explains the fields
    dq 0x00cf92000000ffff       ; data, 4 GiB
gdt_pointer:
    dw $ - gdt - 1
    dd gdt
CODE equ 8
DATA equ 16

    align 8, db 0
gate:                           ; of vector 20 alone
    dw 0, CODE
    db 0, 0x8e                  ; present, ring 0, 32-bit interrupt gate
    dw 0
idt_pointer:
    dw FIRST * 8 + 7            ; up to that gate: what would be before it is not used
    dd gate - FIRST * 8

    times 510 - ($ - $$) db 0
    dw 0xaa55

; tasks: the processor's own task switches, by a jump, a call and an interrupt
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt, in protected mode
; screen: row 0 says who ran: main, then a task, and main again each time
;
; A task-state segment (TSS) has room for all registers. A far JMP or CALL to its descriptor stores the registers in the
; TSS that TR names and loads them from the new one. CALL, and a task gate in the interrupt table, leave the way back in
; the new TSS and set NT in the flags: IRET then returns to the old task. A task goes on where it left off, so that those
; here are loops. Intel SDM vol. 3A, chapter 8.
;
; Debug:  stepvisor debug guests/bin/tasks.elf
;         (gdb) break jumped
;         (gdb) continue
;         (gdb) info registers cs eip eflags
;         (gdb) monitor gdt               which task is busy
;         (gdb) break called
;         (gdb) continue
;         (gdb) info registers tr eflags  NT: there is a way back

bits 16
cpu 386
global start

VIDEO   equ 0xb8000
TSS     equ 0x8000              ; four of them
SIZE    equ 0x80                ; from one to the next
CODE    equ 0x08
DATA    equ 0x10
MAIN    equ 0x18
JUMPED  equ 0x20
CALLED  equ 0x28
GATE    equ 0x30
IDT     equ 0x9000

; In a TSS.
EIP     equ 0x20
EFLAGS  equ 0x24
ESP_    equ 0x38
ES_     equ 0x48
CS_     equ 0x4c
BITMAP  equ 0x66

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
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov esp, 0x7c00

    mov edi, TSS
    xor eax, eax
    mov ecx, 4 * SIZE / 4
    rep stosd
    mov esi, entries
    mov ebx, TSS + SIZE
.task:
    lodsd
    mov [ebx + EIP], eax
    mov byte [ebx + EFLAGS], 2
    mov [ebx + ESP_], ebx       ; its stack ends where its TSS begins, 24 bytes behind the one before
    lea edi, [ebx + ES_]
    mov eax, DATA
    mov ecx, 6
    rep stosd
    mov byte [ebx + CS_], CODE
    add ebx, SIZE
    cmp esi, entries.end
    jb .task

    mov dword [IDT + 0x30 * 8], GATE << 16      ; a task gate: only the selector counts
    mov dword [IDT + 0x30 * 8 + 4], 0x8500

    mov ax, MAIN
    ltr ax
    mov edi, VIDEO
    mov ebp, 1                  ; each task has registers of its own
    call say_main
    jmp JUMPED:0                ; the offset does not count
back:
    call say_main
    call CALLED:0
    call say_main
    int 0x30
    call say_main
    call CALLED:0               ; it goes on behind its IRET
    call say_main
halt:
    cli
    hlt
    jmp halt

say_main:
    mov esi, text_main
    add edi, 2                  ; a space
say:
    mov ah, 0x0f
.next:
    lodsb
    test al, al
    jz .done
    mov [edi], ax
    add edi, 2
    jmp .next
.done:
    mov [cursor], edi
    ret

; The tasks, which share no register with main but begin where it stopped writing.
say_task:
    mov edi, [cursor]
    add edi, 2
    jmp say

jumped:
    mov esi, text_jumped
    call say_task
    mov [TSS + 0x44], edi       ; EDI of main
    jmp MAIN:0

called:
    mov esi, text_called
    call say_task
    mov [TSS + 0x44], edi
    iret
    jmp called

gate:
    mov esi, text_gate
    call say_task
    mov [TSS + 0x44], edi
    iret
    jmp gate

entries:
    dd jumped, called, gate
.end:

align 8
gdt:
    dq 0
    dq 0x00cf9b000000ffff       ; code of 32 bits, all of memory; accessed, as a switch notes
    dq 0x00cf93000000ffff       ; data
%assign n 0
%rep 4
    dq 0x0000890000000067 | (TSS + n * SIZE) << 16
%assign n n + 1
%endrep
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd gdt
idt_pointer:
    dw 0x31 * 8 - 1
    dd IDT

cursor:
    dd 0
text_main:
    db "main", 0
text_jumped:
    db "JMP", 0
text_called:
    db "CALL", 0
text_gate:
    db "INT", 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

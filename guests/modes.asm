; modes: from real mode to 64-bit long mode and all the way back
;
; load: 0x7c00
; format: elf64
; entry: 0000:7c00
; ends: cli; hlt, in real mode again
; screen: row 0, a word from each mode on the way there, row 1 on the way back
;
; Forwards this is the way of `protected` and `long`, with a stop in 16-bit protected mode: CS decides about
; the width of code, and CR0.PE alone does not change it. Backwards, everything is undone in the opposite
; order (SDM volume 3, 10.8.5.4 "Switching Out of IA-32e Mode Operation", 10.9.2 "Switching Back to
; Real-Address Mode"):
;   1. a far jump into a 32-bit code segment: compatibility mode
;   2. CR0.PG = 0: long mode is over; EFER.LME = 0
;   3. a far jump into a 16-bit code segment
;   4. segment registers with limit FFFF, which real mode keeps and never loads again
;   5. CR0.PE = 0, and a far jump, which puts a real-mode segment into CS
; The pages are those of `long`. There has to be a processor that has long mode.
;
; Debug:  stepvisor debug guests/bin/modes.elf
;         (gdb) break in_32
;         (gdb) break in_64
;         (gdb) break again_16
;         (gdb) display/i $pc
;         (gdb) continue                  and again: registers and code are those of the mode

bits 16
cpu x64
global start

VIDEO         equ 0xb8000
ROW_BYTES     equ 80 * 2
COLOUR        equ 0x0e          ; yellow on black

CR0_PE        equ 1 << 0        ; protection enable
CR0_PG        equ 1 << 31       ; paging
CR4_PAE       equ 1 << 5        ; table entries of 8 bytes
MSR_EFER      equ 0xc0000080
EFER_LME      equ 1 << 8        ; long mode enable

LEVEL4        equ 0x1000        ; where the tables go, 4 KiB each
LEVEL3        equ 0x2000
LEVEL2        equ 0x3000
PRESENT_WRITE equ 11b
LARGE_PAGE    equ 1 << 7

; Writes two letters at once; ebx is the place on the screen, and moves on.
%macro letters 2
    mov dword [ebx], %1 | COLOUR << 8 | %2 << 16 | COLOUR << 24
    add ebx, 4
%endmacro

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, VIDEO >> 4          ; real mode reaches no more than its segments
    mov es, ax
    mov dword [es:0], 'R' | COLOUR << 8 | '1' << 16 | COLOUR << 24
    mov ebx, VIDEO + 4
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, CR0_PE
to_16:
    mov cr0, eax
    jmp CODE16:in_16

in_16:                          ; protected, but 16-bit code
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    letters 'P', '1'
    jmp CODE32:in_32

bits 32
in_32:
    mov esp, 0x7c00
    letters 'P', '3'
    mov edi, LEVEL4             ; three empty tables, then the first 2 MiB to themselves
    mov ecx, 3 * 4096 / 4
    xor eax, eax
    rep stosd
    mov dword [LEVEL4], LEVEL3 | PRESENT_WRITE
    mov dword [LEVEL3], LEVEL2 | PRESENT_WRITE
    mov dword [LEVEL2], 0 | LARGE_PAGE | PRESENT_WRITE
    mov eax, cr4
    or al, CR4_PAE
    mov cr4, eax
    mov eax, LEVEL4
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or ah, EFER_LME >> 8
    wrmsr
    mov eax, cr0
    or eax, CR0_PG
to_long:
    mov cr0, eax
    jmp CODE64:in_64

bits 64
in_64:
    letters 'L', '6'
    mov rax, 0x123456789abcdef0 ; wider than any other mode can show
    mov r8, rax
    call leaf
    mov ebx, VIDEO + ROW_BYTES
    jmp far dword [rel out]     ; 64-bit code has no far jump with the address in it

; Something to step over, finish and count.
leaf:
    inc r8
    ret

bits 32
compatible:                     ; compatibility mode: long mode is active still
    letters 'C', '3'
    mov eax, cr0
    and eax, ~CR0_PG
from_long:
    mov cr0, eax
    mov ecx, MSR_EFER
    rdmsr
    and ah, ~(EFER_LME >> 8)
    wrmsr
again_32:
    letters 'P', '3'
    jmp CODE16:again_16

bits 16
again_16:
    mov ax, DATA16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, cr0
    and al, ~CR0_PE
from_16:
    mov cr0, eax
    jmp 0x0000:again_real

again_real:
    mov ax, VIDEO >> 4
    mov es, ax
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov dword [es:ROW_BYTES + 8], 'R' | COLOUR << 8 | '1' << 16 | COLOUR << 24

halt:
    cli
    hlt
    jmp halt

; The global descriptor table; `protected` explains the fields.
    align 8, db 0
gdt:
    dq 0
gdt_code16:
    dw 0xffff, 0x0000
    db 0x00, 10011010b, 00000000b, 0x00 ; 16-bit code, 64 KiB
gdt_data16:
    dw 0xffff, 0x0000
    db 0x00, 10010010b, 00000000b, 0x00 ; data, 64 KiB
gdt_code32:
    dw 0xffff, 0x0000
    db 0x00, 10011010b, 11001111b, 0x00 ; 32-bit code, 4 GiB
gdt_data:
    dw 0xffff, 0x0000
    db 0x00, 10010010b, 11001111b, 0x00 ; data, 4 GiB
gdt_code64:
    dw 0x0000, 0x0000
    db 0x00, 10011010b, 00100000b, 0x00 ; 64-bit code
gdt_end:

CODE16 equ gdt_code16 - gdt
DATA16 equ gdt_data16 - gdt
CODE32 equ gdt_code32 - gdt
DATA   equ gdt_data - gdt
CODE64 equ gdt_code64 - gdt

gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt

out:
    dd compatible
    dw CODE32

    times 510 - ($ - $$) db 0
    dw 0xaa55

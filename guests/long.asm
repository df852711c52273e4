; long: from real mode through protected mode to 64-bit long mode
;
; load: 0x7c00
; format: elf64
; entry: 0000:7c00
; ends: cli; hlt, in long mode (or in protected mode on a processor that has no long mode)
; screen: rows 0, 1 and 2 are written in real, protected and long mode
;
; Long mode needs paging. This guest maps the first GiB to itself ("identity"): one page directory with
; 512 pages of 2 MiB. The way, from protected mode (SDM volume 3, 10.8.5 "Initializing IA-32e Mode"):
;   1. build the page tables:  1000 level 4, one entry -> 2000
;                              2000 level 3, one entry -> 3000
;                              3000 level 2, 512 entries, each a page of 2 MiB
;   2. CR4.PAE = 1, CR3 = 1000
;   3. EFER.LME = 1
;   4. CR0.PG = 1: long mode is active, still in 32-bit code (compatibility mode)
;   5. a far jump into a code segment whose L bit is set: 64-bit code
;
; Debug:  stepvisor debug guests/bin/long.elf
;         (gdb) break activate
;         (gdb) continue
;         (gdb) stepi                     paging is on
;         (gdb) monitor walk 0xb8000      the 2 MiB page that maps video memory
;         (gdb) break long_entry
;         (gdb) continue
;         (gdb) info registers rip cs     64-bit registers from here on

bits 16
cpu x64
global start

VIDEO_SEGMENT equ 0xb800        ; for real mode
VIDEO         equ 0xb8000       ; the same place for flat segments and identity paging
ROW_BYTES     equ 80 * 2

CR0_PE        equ 1 << 0        ; protection enable
CR0_PG        equ 1 << 31       ; paging
CR4_PAE       equ 1 << 5        ; table entries of 8 bytes
MSR_EFER      equ 0xc0000080
EFER_LME      equ 1 << 8        ; long mode enable

LEVEL4        equ 0x1000        ; where the tables go, 4 KiB each
LEVEL3        equ 0x2000
LEVEL2        equ 0x3000
PRESENT_WRITE equ 11b           ; entry: present, writable
LARGE_PAGE    equ 1 << 7        ; entry: not a table but a page of 2 MiB
PAGE_2MIB     equ 1 << 21

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

    mov ax, VIDEO_SEGMENT
    mov es, ax
    xor di, di                  ; row 0
    mov ah, 0x0e                ; yellow on black
    mov si, text_real
real_print:
    lodsb
    test al, al
    jz to_protected
    stosw
    jmp real_print

to_protected:
    lgdt [gdt_pointer]
    mov eax, cr0
    or eax, CR0_PE
    mov cr0, eax
    jmp CODE32:protected_entry

bits 32
protected_entry:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7c00

    mov esi, text_protected
    mov edi, VIDEO + ROW_BYTES
    mov ah, 0x0a                ; light green on black
    call print32

    mov eax, 0x80000000         ; which extended leaves does CPUID have?
    cpuid
    cmp eax, 0x80000001
    jb no_long_mode
    mov eax, 0x80000001
    cpuid
    bt edx, 29                  ; LM
    jnc no_long_mode

build_tables:
    mov edi, LEVEL4             ; step 1: three empty tables
    mov ecx, 3 * 4096 / 4
    xor eax, eax
    rep stosd
    mov dword [LEVEL4], LEVEL3 | PRESENT_WRITE
    mov dword [LEVEL3], LEVEL2 | PRESENT_WRITE
    mov edi, LEVEL2
    mov eax, 0 | LARGE_PAGE | PRESENT_WRITE
    mov ecx, 512
.next:
    mov [edi], eax              ; the upper half of the entry stays zero
    add eax, PAGE_2MIB
    add edi, 8
    loop .next

    mov eax, cr4                ; step 2
    or eax, CR4_PAE
    mov cr4, eax
    mov eax, LEVEL4
    mov cr3, eax

    mov ecx, MSR_EFER           ; step 3
    rdmsr
    or eax, EFER_LME
    wrmsr

    mov eax, cr0                ; step 4
    or eax, CR0_PG
activate:
    mov cr0, eax
    jmp CODE64:long_entry       ; step 5

no_long_mode:
    mov esi, text_none
    mov edi, VIDEO + 2 * ROW_BYTES
    mov ah, 0x0c                ; light red on black
    call print32
    cli
    hlt
    jmp $ - 2

; Writes the text at ESI, which ends with a zero byte, to EDI in the colour AH.
print32:
    lodsb
    test al, al
    jz .end
    stosw
    jmp print32
.end:
    ret

bits 64
long_entry:
    xor eax, eax                ; 64-bit code does not use DS, ES, SS: null selectors will do
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov rsp, 0x7c00

    mov rsi, text_long
    mov rdi, VIDEO + 2 * ROW_BYTES
    mov ah, 0x0b                ; light cyan on black
    call print64

halt:
    cli
    hlt
    jmp halt

; The same bytes as print32, but here lodsb counts RSI and call pushes eight bytes.
print64:
    lodsb
    test al, al
    jz .end
    stosw
    jmp print64
.end:
    ret

text_real:
    db "Real mode: 16-bit code.", 0
text_protected:
    db "Protected mode: 32-bit code.", 0
text_long:
    db "Long mode: 64-bit code, 2 MiB pages.", 0
text_none:
    db "No long mode here.", 0

; The global descriptor table; `protected` explains the fields.
    align 8, db 0
gdt:
    dq 0
gdt_code32:
    dw 0xffff, 0x0000
    db 0x00, 10011010b, 11001111b, 0x00 ; 32-bit code, 4 GiB
gdt_data:
    dw 0xffff, 0x0000
    db 0x00, 10010010b, 11001111b, 0x00 ; data, 4 GiB
gdt_code64:
    dw 0x0000, 0x0000
    db 0x00, 10011010b, 00100000b, 0x00 ; L bit: 64-bit code; base and limit are ignored
gdt_end:

CODE32 equ gdt_code32 - gdt
DATA   equ gdt_data - gdt
CODE64 equ gdt_code64 - gdt

gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt

    times 510 - ($ - $$) db 0
    dw 0xaa55

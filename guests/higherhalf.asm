; higherhalf: a 64-bit kernel that runs at FFFFFFFF80000000 and above, away from where it is loaded
;
; load: 0x7c00
; format: elf64
; link: high.ld
; entry: 0000:7c00
; ends: cli; hlt, in long mode
; screen: row 0 is written by the kernel, through its own window on video memory
;
; The addresses of a kernel of this kind are not those of the memory it is in: page tables make them so. Physical
; memory from 0 on appears twice, at 0, where the way to long mode runs, and at FFFFFFFF80000000, for the kernel:
;
;   1000 level 4   entry 0   -> 2000    addresses from 0
;                  entry 511 -> 3000    addresses from FFFFFF8000000000
;   2000 level 3   entry 0   -> 4000
;   3000 level 3   entry 510 -> 4000    addresses from FFFFFFFF80000000
;   4000 level 2   entry 0: a page of 2 MiB at 0
;
; A jump within 32 bits does not get there: its target is in a register. When the kernel runs, it takes the lower half
; away, so that nothing is left at 0 but what would fault.
;
; Debug:  stepvisor debug guests/bin/higherhalf.elf
;         (gdb) break kernel              set in real mode, hit in long mode
;         (gdb) continue
;         (gdb) monitor walk $pc          where the kernel is in memory
;         (gdb) monitor walk 0x7c00       still there
;         (gdb) break alone
;         (gdb) continue
;         (gdb) monitor walk 0x7c00       gone

bits 16
cpu x64
global start

HIGH          equ 0xffffffff80000000
VIDEO         equ HIGH + 0xb8000

CR0_PE_PG     equ 1 << 31 | 1   ; protection and paging at once
CR4_PAE       equ 1 << 5        ; table entries of 8 bytes
MSR_EFER      equ 0xc0000080
EFER_LME      equ 1 << 8        ; long mode enable

LEVEL4        equ 0x1000        ; where the tables go, 4 KiB each
LEVEL3_LOW    equ 0x2000
LEVEL3_HIGH   equ 0x3000
LEVEL2        equ 0x4000
PRESENT_WRITE equ 11b           ; entry: present, writable
LARGE_PAGE    equ 1 << 7        ; entry: not a table but a page of 2 MiB

section .text
start:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    cld

build_tables:
    mov di, LEVEL4
    mov cx, 4 * 4096 / 4
    xor eax, eax
    rep stosd
    mov dword [LEVEL4], LEVEL3_LOW | PRESENT_WRITE
    mov dword [LEVEL4 + 511 * 8], LEVEL3_HIGH | PRESENT_WRITE
    mov dword [LEVEL3_LOW], LEVEL2 | PRESENT_WRITE
    mov dword [LEVEL3_HIGH + 510 * 8], LEVEL2 | PRESENT_WRITE
    mov dword [LEVEL2], LARGE_PAGE | PRESENT_WRITE

    lgdt [gdt_pointer]
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, LEVEL4
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, cr0
    or eax, CR0_PE_PG           ; from real mode to long mode in one step
    mov cr0, eax
    jmp CODE64:long_entry

bits 64
long_entry:
    mov rax, kernel
    jmp rax

    align 8, db 0
gdt:
    dq 0
gdt_code64:
    dw 0, 0
    db 0, 10011010b, 00100000b, 0 ; 64-bit code
gdt_pointer:
    dw $ - gdt - 1
    dd gdt
CODE64 equ gdt_code64 - gdt

    times 256 - ($ - $$) db 0   ; the first half of the boot sector

section .high progbits alloc exec write align=1
kernel:
    xor eax, eax
    mov ss, eax
    mov rsp, HIGH + 0x7c00
    mov rsi, text
    mov rdi, VIDEO
    call print

    mov qword [HIGH + LEVEL4], 0 ; the lower half is gone ...
    mov rax, cr3
    mov cr3, rax                ; ... now that the processor forgets what it knew of it
alone:
    inc byte [visits]

halt:
    cli
    hlt
    jmp halt

; Writes the text at RSI, which ends with a zero byte, to RDI in light cyan.
print:
    mov ah, 0x0b
.next:
    lodsb
    test al, al
    jz .end
    stosw
    jmp .next
.end:
    ret

text:
    db "A kernel in the higher half.", 0
visits:
    db 0

    times 254 - ($ - $$) db 0
    dw 0xaa55

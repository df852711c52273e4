; protected: from real mode to 32-bit protected mode with flat segments
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt, in protected mode
; screen: row 0 is written in real mode, row 1 in protected mode
;
; In protected mode a segment register holds a selector: an index into the global descriptor table, whose
; entry says base, limit and rights. The way there:
;   1. interrupts off: the real-mode vector table means nothing afterwards
;   2. lgdt: tell the processor where the table is
;   3. set CR0.PE
;   4. a far jump, which loads CS from the table, and with it 32-bit code
;   5. load the other segment registers
; "Flat" means base 0 and limit 4 GiB: an offset is a linear address, as video memory at B8000 shows.
;
; (Intel SDM, volume 3, 10.9.1 "Switching to Protected Mode". The A20 line does not matter here:
; everything lies below 1 MiB.)
;
; Debug:  stepvisor debug guests/bin/protected.elf
;         (gdb) break enter
;         (gdb) continue
;         (gdb) x/3i $pc                  16-bit code: mov to cr0, then the far jump
;         (gdb) break protected_entry
;         (gdb) continue
;         (gdb) x/3i $pc                  32-bit code
;         (gdb) print/x $cs               0008, the selector

bits 16
cpu 386
global start

VIDEO_SEGMENT equ 0xb800        ; for real mode
VIDEO         equ 0xb8000       ; the same place for flat segments
ROW_BYTES     equ 80 * 2
CR0_PE        equ 1             ; protection enable

section .text
start:
    cli                         ; step 1; there is no way to handle one from here on
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
    jz switch
    stosw
    jmp real_print

switch:
    lgdt [gdt_pointer]          ; step 2
    mov eax, cr0
    or eax, CR0_PE
enter:
    mov cr0, eax                ; step 3; CS still holds what real mode put there
    jmp CODE:protected_entry    ; step 4

bits 32
protected_entry:
    mov ax, DATA                ; step 5
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov esp, 0x7c00

    mov esi, text_protected
    mov edi, VIDEO + ROW_BYTES  ; row 1, by its linear address
    mov ah, 0x0a                ; light green on black
    call print

halt:
    cli
    hlt
    jmp halt

; Writes the text at ESI, which ends with a zero byte, to EDI in the colour AH.
print:
    lodsb
    test al, al
    jz .end
    stosw
    jmp print
.end:
    ret

text_real:
    db "Real mode: 16-bit code, segments of 64 KiB.", 0
text_protected:
    db "Protected mode: 32-bit code, flat segments of 4 GiB.", 0

; The global descriptor table. An entry, lowest byte first: limit 15-0, base 15-0, base 23-16, rights,
; flags and limit 19-16, base 31-24. (SDM volume 3, 3.4.5)
    align 8, db 0
gdt:
    dq 0                        ; entry 0 is never used: selector 0 means "no segment"
gdt_code:
    dw 0xffff, 0x0000           ; limit FFFFF, in units of 4 KiB; base 0
    db 0x00
    db 10011010b                ; present, ring 0, code, readable
    db 11001111b                ; 4 KiB units, 32-bit code; limit 19-16
    db 0x00
gdt_data:
    dw 0xffff, 0x0000
    db 0x00
    db 10010010b                ; present, ring 0, data, writable
    db 11001111b
    db 0x00
gdt_end:

CODE equ gdt_code - gdt         ; a selector is the offset of the entry, as long as
DATA equ gdt_data - gdt         ; its low three bits (local table, ring) stay zero

gdt_pointer:
    dw gdt_end - gdt - 1        ; limit: the last valid offset
    dd gdt                      ; linear address

    times 510 - ($ - $$) db 0
    dw 0xaa55

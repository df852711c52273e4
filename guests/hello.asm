; hello: a boot sector that prints two lines by writing to video memory
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: two coloured lines in rows 0 and 1; the rest stays as it was
;
; A boot sector is the first 512 bytes of a disk, with 55 AA as its last two bytes. The firmware copies
; it to 7C00 and jumps there; what the segment registers hold then differs from one BIOS to the next, so
; the first thing to do is to set them all.
;
; Addresses: the linker places the code at 7C00, in place of the ORG 7C00h line one would write for a
; flat image. With CS = DS = 0 an offset is then the same as the linear address.
;
; Run:    stepvisor run guests/bin/hello.bin
; Debug:  stepvisor debug guests/bin/hello.elf
;         (gdb) break print
;         (gdb) continue                  at the first call of print
;         (gdb) x/s $si                   what it is about to write
;         (gdb) x/hx $sp                  the return address: a near call pushed two bytes
;         (gdb) next                      one source line
;         (gdb) continue                  the second call

bits 16
cpu 386
global start

VIDEO     equ 0xb800            ; segment of colour text memory, linear B8000
ROW_BYTES equ 80 * 2            ; 80 cells of character and colour

section .text
start:
    cli                         ; no interrupts while the stack moves, nor later
    jmp 0x0000:main             ; some BIOSes enter at 07C0:0000, make it 0000:7Cxx

main:
    xor ax, ax
    mov ds, ax                  ; data at its linear address
    mov ss, ax
    mov sp, 0x7c00              ; the stack grows down from below the code
    mov ax, VIDEO
    mov es, ax
    cld                         ; lods and stos count upwards

    mov si, greeting
    xor di, di                  ; row 0
    mov ah, 0x1e                ; yellow on blue
    call print

    mov si, place
    mov di, ROW_BYTES           ; row 1
    mov ah, 0x0a                ; light green on black
    call print

halt:
    cli
    hlt                         ; with interrupts off nothing wakes the processor
    jmp halt

; Writes the text at DS:SI, which ends with a zero byte, to ES:DI in the colour AH.
; Changes AL; leaves SI and DI behind the text.
print:
    lodsb                       ; AL = DS:[SI], SI + 1
    test al, al
    jz .end
    stosw                       ; ES:[DI] = AX: character and colour at once, DI + 2
    jmp print
.end:
    ret

greeting:
    db "Hello from a boot sector!", 0
place:
    db "Loaded at 7C00, running in real mode.", 0

    times 510 - ($ - $$) db 0   ; fill the sector
    dw 0xaa55                   ; and sign it: bytes 55 AA

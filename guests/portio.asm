; portio: the instructions that talk to I/O ports
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: row 0 reads Port E9 reads E9, port 1234 reads FF and FFFF
; debug port: two lines of text and a '!'
;
; Ports are an address space of their own, 0000-FFFF, reached by `in` and `out` only. Three are used here:
;   E9    the debug port of many emulators: a byte written appears in the emulator's log. Reading it
;         returns E9, which is how a guest finds out that it is there.
;   80    where a BIOS writes a progress code at each stage of its self test (POST). A write only port
;         for us: nothing answers.
;   1234  nobody's. A read from a port that no device claims returns all ones: the bus floats high.
; Each access ends the guest's run for a moment: the VMM plays the device, then lets it go on.
;
; Debug:  stepvisor debug guests/bin/portio.elf
;         (gdb) tbreak write_all
;         (gdb) continue
;         (gdb) print $cx                 so many bytes
;         (gdb) stepi                     executes rep outsb; SI and CX tell how far it is
;         (gdb) tbreak read_ports
;         (gdb) continue
;         (gdb) stepi 2
;         (gdb) print/x $al               E9

bits 16
cpu 386
global start

DEBUG_PORT     equ 0xe9         ; below 100h a port number can be part of the instruction,
POST_PORT      equ 0x80
UNCLAIMED_PORT equ 0x1234       ; any other has to be in DX
VIDEO          equ 0xb800
COLOR          equ 0x0f

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, VIDEO
    mov es, ax
    cld

    mov al, 0x42
    out POST_PORT, al           ; "stage 42h", if somebody listens

    mov si, text_bytes
write_bytes:
    lodsb
    test al, al
    jz write_string
    out DEBUG_PORT, al          ; a byte at a time, the port number in the instruction
    jmp write_bytes

write_string:
    mov si, text_string
    mov cx, text_string_end - text_string
    mov dx, DEBUG_PORT
write_all:
    rep outsb                   ; CX bytes from DS:SI to port DX, one instruction

write_word:
    mov ax, '!' | '?' << 8      ; on a PC's bus a word goes to two ports, the low byte first: '!' to E9
    out dx, ax                  ; and '?' to EA, where nobody listens (QEMU drops it altogether)

read_ports:
    xor ax, ax
    in al, DEBUG_PORT
    mov bl, al
    mov dx, UNCLAIMED_PORT
    in al, dx
    mov bh, al
    xor ax, ax
    in ax, dx                   ; a word
    mov cx, ax

show:
    xor di, di                  ; row 0
    mov si, text_e9
    call print
    mov al, bl
    call print_hex
    mov si, text_unclaimed
    call print
    mov al, bh
    call print_hex
    mov si, text_and
    call print
    mov al, ch
    call print_hex
    mov al, cl
    call print_hex

halt:
    cli
    hlt
    jmp halt

; Writes the text at DS:SI, which ends with a zero byte, to ES:DI. Changes AX.
print:
    mov ah, COLOR
.next:
    lodsb
    test al, al
    jz .end
    stosw
    jmp .next
.end:
    ret

; Writes AL as two hex digits to ES:DI. Changes AX.
print_hex:
    push ax
    shr al, 4
    call .digit
    pop ax
    and al, 0x0f
.digit:
    cmp al, 10
    jb .decimal
    add al, 'A' - '0' - 10
.decimal:
    add al, '0'
    mov ah, COLOR
    stosw
    ret

text_bytes:
    db "Port E9, byte by byte.", 10, 0
text_string:
    db "Port E9, all at once by rep outsb.", 10
text_string_end:
text_e9:
    db "Port E9 reads ", 0
text_unclaimed:
    db ", port 1234 reads ", 0
text_and:
    db " and ", 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

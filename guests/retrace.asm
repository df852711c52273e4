; retrace: waiting for the picture's end, as games do before they draw
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: `a picture of 400 lines: yes`
;
; Bit 3 of input status 1 is set during the vertical retrace, while the beam goes back to the top; bit 0 while nothing is
; shown, that is also at the end of each line. Guests wait by polling. To begin with a fresh retrace one waits for the end of the
; one that may be under way.
; Run:    stepvisor run --clock virtual guests/bin/retrace.bin      by the wall clock a busy host can miss lines
; Debug:  stepvisor debug guests/bin/retrace.elf
;         (gdb) break picture
;         (gdb) continue                  a retrace has begun
;         (gdb) stepi                     each read of the port takes the beam on
;         (gdb) print/x $al & 9           9: the retrace, and nothing is shown
;         (gdb) break print
;         (gdb) continue
;         (gdb) print $bx                 400 lines

bits 16
cpu 386
global start

STATUS      equ 0x3da
RETRACE     equ 0x08
NOT_SHOWN   equ 0x01
LINES       equ 400             ; of text mode
COLOR       equ 0x0f

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

    mov dx, STATUS

waiting:
    in al, dx
    test al, RETRACE
    jnz waiting
.begin:
    in al, dx
    test al, RETRACE
    jz .begin

picture:                        ; from one retrace to the next
    in al, dx
    test al, RETRACE
    jnz picture
    xor bx, bx                  ; lines seen
.shown:                         ; a line: shown, then not shown
    in al, dx
    test al, RETRACE
    jnz print
    test al, NOT_SHOWN
    jnz .shown
    inc bx
.rest:
    in al, dx
    test al, RETRACE | NOT_SHOWN
    jz .rest
    test al, RETRACE
    jz .shown

print:
    mov ax, 0xb800
    mov es, ax
    xor di, di
    mov ah, COLOR
    mov si, text
    call .text
    mov si, yes
    cmp bx, LINES
    je .answer
    mov si, no
.answer:
    call .text
    jmp halt
.text:
    lodsb
    or al, al
    jz .end
    stosw
    jmp .text
.end:
    ret

halt:
    cli
    hlt
    jmp halt

text:
    db 'a picture of 400 lines: ', 0
yes:
    db 'yes', 0
no:
    db 'no', 0

    times 510-($-$$) db 0
    dw 0xaa55

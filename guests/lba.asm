; lba: a hard disk by numbers of sectors
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the geometry, the size, and what sector 1 says
;
; INT 13h AH=08 tells the geometry: the largest cylinder (CH, and bits 6 and 7 of CL), sector (CL) and head (DH), and
; the number of disks (DL). AH=41 asks for the extensions, which name sectors by number: AH=42 takes a packet at DS:SI, and
; AH=48 tells the size.
;
; Run:    stepvisor run guests/bin/lba.bin
; Debug:  stepvisor debug guests/bin/lba.bin --symbols guests/bin/lba.elf
;         (gdb) break-int 0x13
;         (gdb) continue
;         (gdb) monitor xp /16xb 0x7d00

bits 16
cpu 386
global start

BUFFER  equ 0x9000

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov [drive], dl
    cld

geometry:
    mov ah, 0x08
    int 0x13                        ; also changes ES and DI for a floppy
    jc failed
    mov al, ch
    call print_hex
    mov al, cl
    call print_hex
    mov al, dh
    call print_hex
    mov al, dl
    call print_hex
    call new_line

extensions:
    mov ah, 0x41
    mov bx, 0x55aa
    mov dl, [drive]
    int 0x13
    jc failed
    cmp bx, 0xaa55
    jne failed
    test cl, 1                      ; packets
    jz failed

size:
    mov ah, 0x48
    mov dl, [drive]
    mov si, parameters
    int 0x13
    jc failed
    mov al, [parameters + 17]       ; sectors, the low word of eight bytes
    call print_hex
    mov al, [parameters + 16]
    call print_hex
    call new_line

read:
    mov ah, 0x42
    mov dl, [drive]
    mov si, packet
    int 0x13
    jc failed
    mov si, BUFFER
    call print
    cli
    hlt

failed:
    mov si, no
    call print
    cli
    hlt

print:
    lodsb
    test al, al
    jz .done
    call put
    jmp print
.done:
    ret

new_line:
    mov al, 13
    call put
    mov al, 10
    jmp put

; AL as two digits, and a blank.
print_hex:
    push ax
    shr al, 4
    call .digit
    pop ax
    and al, 0x0f
    call .digit
    mov al, ' '
    jmp put
.digit:
    cmp al, 10
    sbb al, 0x69
    das

put:
    pusha
    mov ah, 0x0e
    mov bx, 0x0007
    int 0x10
    popa
    ret

no:     db "There is no such disk.", 0
drive:  db 0

align 4
packet:
    db 16, 0                        ; its size
    dw 1                            ; sectors
    dw BUFFER, 0                    ; to 0000:BUFFER
    dq 1                            ; from this one on

parameters:
    dw 26                           ; room for so many bytes
    times 24 db 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

    db "Sector 1, by its number.", 0
    times 1024 - ($ - $$) db 0

; disk: what lies behind the boot sector, by the BIOS
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: what the second and third sector say; how many sectors one call has read; a sector that was written
;
; The firmware loads one sector. INT 13h AH=02 reads AL more of them to ES:BX, from cylinder CH, head DH and
; sector CL on, which counts from 1; DL is the drive, as the firmware gave it. Real drives fail at times, so one
; resets (AH=00) and tries again. A call may go on over the end of a track. AH=03 writes.
;
; Run:    stepvisor run guests/bin/disk.bin --drive 0
; Debug:  stepvisor debug guests/bin/disk.bin --drive 0 --symbols guests/bin/disk.elf
;         (gdb) break-int 0x13 ah=2
;         (gdb) continue
;         (gdb) nexti
;         (gdb) x/s 0x7e00

bits 16
cpu 386
global start

TRIES   equ 3
MANY    equ 36                      ; two tracks of a 1.44 MB floppy
BUFFER  equ 0x9000

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov [drive], dl
    cld

    mov ax, 0x0202                  ; two sectors,
    mov bx, second                  ; to where the linker has them
    mov cx, 0x0002                  ; cylinder 0, sector 2
    mov dh, 0
    call disk
    mov si, second
    call print
    mov si, third
    call print

many:
    mov ax, 0x0200 | MANY
    mov bx, BUFFER
    mov cx, 0x0001
    mov dh, 0
    call disk
    call print_hex                  ; AL: how many it were
    mov al, [BUFFER + 510]          ; the boot sector's mark
    call print_hex

write:
    mov ax, 0x0301                  ; the first of them is sector 3 from now on
    mov bx, BUFFER
    mov cx, 0x0003
    mov dh, 0
    call disk
    mov ax, 0x0201
    mov bx, BUFFER + 0x4000
    mov cx, 0x0003
    mov dh, 0
    call disk
    mov si, BUFFER
    mov di, BUFFER + 0x4000
    mov cx, 512
    repe cmpsb
    sete al                         ; 01 if that is what is read again
    call print_hex

    cli
    hlt

failed:
    mov si, no
    call print
    cli
    hlt

; INT 13h with the registers of the caller, tried a few times.
disk:
    mov dl, [drive]
    mov word [tries], TRIES
.again:
    pusha
    int 0x13
    jnc .done
    xor ah, ah                      ; reset
    int 0x13
    popa
    dec word [tries]
    jnz .again
    add sp, 2
    jmp failed
.done:
    mov [result], ax
    popa
    mov ax, [result]
    ret

; The string at SI, up to 0.
print:
    lodsb
    test al, al
    jz .done
    call put
    jmp print
.done:
    ret

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
    sbb al, 0x69                    ; 0 to 9 and A to F, by the old trick
    das
    ; falls through

put:
    pusha
    mov ah, 0x0e
    mov bx, 0x0007
    int 0x10
    popa
    ret

no:     db "The disk cannot be read.", 0
drive:  db 0
tries:  dw 0
result: dw 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

second: db "This is the second sector,", 13, 10, 0
    times 1024 - ($ - $$) db 0
third:  db "and this the third.", 13, 10, 0
    times 1536 - ($ - $$) db 0

; cmos: the real-time clock's memory by ports 70 and 71
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: status registers, a byte that was written and read back, and that the clock was read without a change in between
;
; Port 70 takes the index of one of 128 bytes (its bit 7 switches NMI off), port 71 is that byte. 00 to 09 are the
; time and the date, 0A to 0D status: A the rates, and in bit 7 that the time is just changing; B formats and
; interrupts; C which interrupt has come; D, bit 7, that the battery is good. What follows is memory: 10 floppy
; drives, 14 equipment, 15 to 18 sizes, 32 the century.
;
; Run:    stepvisor run guests/bin/cmos.bin
; Debug:  stepvisor debug guests/bin/cmos.elf
;         (gdb) break-out 0x70
;         (gdb) continue
;         (gdb) monitor cmos

bits 16
cpu 386
global start

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    cld
    mov al, 0x0a
    call get
    and al, 0x7f                ; 26: 32768 Hz, 1024 interrupts a second
    call hex8
    mov al, 0x0b
    call get                    ; 02: 24 hours, binary coded decimal
    call hex8
    mov al, 0x0d
    call get                    ; 80
    call hex8
    mov al, 0x0d
    mov ah, 0x00
    call put                    ; cannot be written
    mov al, 0x0d
    call get
    call hex8
    call newline

    mov al, 0x15                ; KiB of base memory: 640
    call get
    mov bl, al
    mov al, 0x16
    call get
    call hex8
    mov al, bl
    call hex8
    call newline

    mov ax, 0x5a5f              ; a byte that nobody uses
    call put
    mov al, 0x5f
    call get
    call hex8
    mov al, 0xdf                ; the same, with NMI off
    call get
    call hex8
    mov al, 0x0f                ; on again
    call get
    call newline

time:                           ; until two readings agree, as an update may come in between
    call read
    push eax
    call read
    pop edx
    cmp eax, edx
    jne time
    cmp al, 0x59                ; seconds, minutes, hours
    ja wrong
    cmp ah, 0x59
    ja wrong
    shr eax, 16
    cmp al, 0x23
    ja wrong
    mov si, good
    call print
wrong:
    cli
    hlt

; reads seconds, minutes, hours and the day of the month into EAX, from the low byte on
read:
    mov al, 0x07
    call get
    shl eax, 8
    mov al, 0x04
    call get
    shl eax, 8
    mov al, 0x02
    call get
    shl eax, 8
    mov al, 0x00
; reads byte AL
get:
    out 0x70, al
    in al, 0x71
    ret

; writes AH to byte AL
put:
    out 0x70, al
    mov al, ah
    out 0x71, al
    ret

%include "print.inc"

good: db "The time is a time.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

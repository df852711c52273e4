; alarm: the real-time clock's own interrupts
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: that 512 periodic interrupts took half a second, and that the alarm of INT 1Ah came
;
; The clock at ports 70 and 71 interrupts by IRQ 8, vector 70h: periodically (1024 times a second unless register
; A says otherwise), at the time in its alarm registers, or after each second. Register B enables these; register
; C says which has come, and has to be read before the next comes.
;
; Run:    stepvisor run guests/bin/alarm.bin
; Debug:  stepvisor debug guests/bin/alarm.elf
;         (gdb) break periodic
;         (gdb) continue
;         (gdb) monitor cmos
;         (gdb) monitor pic

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
    cli
    mov eax, [0x70 * 4]
    mov [old], eax
    mov dword [0x70 * 4], periodic
    mov dword [0x4a * 4], alarm
    mov al, 0x0b
    out 0x70, al
    in al, 0x71
    or al, 0x40                 ; periodic interrupts
    mov ah, al
    mov al, 0x0b
    out 0x70, al
    mov al, ah
    out 0x71, al
    mov bx, [0x46c]
    sti
count:
    hlt
    cmp word [periods], 512
    jb count
    mov ax, [0x46c]
    sub ax, bx                  ; 9 or 10 ticks
    sub al, 9
    cmp al, 1
    ja wrong
    mov si, half
    call print

    cli                         ; the BIOS's handler again, and an alarm in the next second but one
    mov eax, [old]
    mov [0x70 * 4], eax
    mov al, 0x0b
    out 0x70, al
    mov al, 0x02
    out 0x71, al
    sti
    mov ah, 0x02
    int 0x1a
    mov al, dh
    add al, 2
    daa
    mov dh, al
    cmp dh, 0x60
    jb set
    sub dh, 0x60                ; any minute will do
set:
    mov cx, 0xffff
    mov ah, 0x06
    int 0x1a
    jc wrong
sleep:
    hlt
    cmp byte [alarms], 0
    je sleep
    mov si, rang
    call print
    cli
    hlt

wrong:
    mov si, bad
    call print
    cli
    hlt

; INT 70h
periodic:
    push ax
    mov al, 0x0c
    out 0x70, al
    in al, 0x71
    inc word [cs:periods]
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    pop ax
    iret

; INT 4Ah, which the BIOS calls at the alarm
alarm:
    inc byte [cs:alarms]
    iret

%include "print.inc"

periods: dw 0
alarms: db 0
old: dd 0
half: db "512 periods: half a second.", 13, 10, 0
rang: db "The alarm came.", 0
bad: db "That is wrong.", 0

times 510 - ($ - $$) db 0
dw 0xaa55

; ata: the hard disk by the registers of its drive, without INT 13h: polled, and by IRQ 14
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: what the drive tells of itself, the signature of the boot sector read in two ways, and what fails
;
; A driver writes a value to the sector count and the sector number, at 1F2 and 1F3, and reads it back: nothing can
; do that but a drive's registers. Then it gives commands, at 1F7: IDENTIFY DEVICE (EC), whose 256 words tell the size;
; READ SECTORS (20), first with interrupts held back by nIEN in device control, 3F6, then with IRQ 14, interrupt 76.
;
; Run:    stepvisor run guests/bin/ata.bin
; Debug:  stepvisor debug guests/bin/ata.elf --hda guests/bin/ata.bin
;         (gdb) break-out 0x1f7
;         (gdb) continue
;         (gdb) monitor disk

bits 16
cpu 386
global start

DATA    equ 0x1f0
COUNT   equ 0x1f2
NUMBER  equ 0x1f3
DEVICE  equ 0x1f6
STATUS  equ 0x1f7               ; written, the command
CONTROL equ 0x3f6
buffer  equ 0x8000

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    cld
    mov dx, CONTROL
    mov al, 2                   ; nIEN: no interrupts
    out dx, al

    mov al, 0xe0                ; the first drive, sectors by their numbers
    call select
    mov dx, COUNT
    mov al, 0x55
    out dx, al
    inc dx
    mov al, 0xaa
    out dx, al
    in al, dx
    mov ah, al
    dec dx
    in al, dx
    mov si, nothing
    cmp ax, 0xaa55
    jne fails

    mov al, 0xec                ; IDENTIFY DEVICE
    call command
    call block
    mov si, geometry
    call print
    mov ax, [buffer + 2 * 1]    ; cylinders, heads, sectors of a track
    call hex16
    mov ax, [buffer + 2 * 3]
    call hex16
    mov ax, [buffer + 2 * 6]
    call hex16
    call newline

    call first_sector
    mov al, 0x20                ; READ SECTORS
    call command
    call block
    mov si, polled
    call signature

    mov word [4 * 0x76], irq14
    mov word [4 * 0x76 + 2], 0
    xor ax, ax
    mov dx, CONTROL
    out dx, al
    call first_sector
    mov al, 0x20
    call command
.wait:
    cmp byte [came], 0
    jne .came
    hlt                         ; this or another interrupt
    jmp .wait
.came:
    call block
    mov si, by_irq
    call signature

    mov al, 0xef                ; sector F000000, behind the end of any disk here
    call select
    mov al, 0x20
    call command
    call status
    mov si, behind
    call tell

    mov al, 0xf0                ; the second drive
    call select
    mov dx, STATUS
    in al, dx
    mov si, second
    call tell
    cli
    hlt

fails:
    call print
    cli
    hlt

; selects the drive, and the upper bits of the number, in AL
select:
    mov dx, DEVICE
    out dx, al
    ret

; names sector 0, and that alone
first_sector:
    mov dx, COUNT
    mov al, 1
    out dx, al
    mov al, 0
    inc dx
    out dx, al
    inc dx
    out dx, al
    inc dx
    out dx, al
    ret

; gives the command in AL
command:
    mov dx, STATUS
    out dx, al
    ret

; waits until the drive is not busy; its status in AL
status:
    mov dx, STATUS
.busy:
    in al, dx
    test al, 0x80
    jnz .busy
    ret

; reads a block of 512 bytes
block:
    call status
    mov di, buffer
    mov cx, 256
    mov dx, DATA
    rep insw
    ret

; prints SI and the last word of the block
signature:
    call print
    mov ax, [buffer + 510]
    call hex16
    jmp newline

; prints SI and AL
tell:
    call print
    call hex8
    jmp newline

; the drive has a block, or has failed; its status is left to be read, which takes the request back
irq14:
    push ax
    mov byte [cs:came], 1
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    pop ax
    iret

%include "print.inc"

nothing:  db "no drive", 0
geometry: db "drive: ", 0
polled:   db "polled: ", 0
by_irq:   db "IRQ 14: ", 0
behind:   db "behind the end: ", 0
second:   db "slave: ", 0
came:     db 0

times 510 - ($ - $$) db 0
dw 0xaa55

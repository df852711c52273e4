; tracks: 72 sectors of a floppy with one call, over the ends of tracks and cylinders
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: how many sectors were written, how many one call has read, and that they are in order
;
; After the last sector of a track comes the first one of the other side, then of the next cylinder. To see it,
; each of 72 sectors from cylinder 1 on gets its number, in a call of its own; then one call reads them all. The buffer
; begins at a multiple of 64 KiB: the floppy's DMA cannot cross one.
;
; Run:    stepvisor run guests/bin/tracks.bin --drive 0
; Debug:  stepvisor debug guests/bin/tracks.bin --drive 0 --symbols guests/bin/tracks.elf
;         (gdb) break all
;         (gdb) continue
;         (gdb) watch *(unsigned *) 0x10200
;         (gdb) continue                  the firmware writes the second sector
;         (gdb) up                        that is who called it

bits 16
cpu 386
global start

COUNT       equ 72
BUFFER      equ 0x1000              ; a segment

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov [drive], dl
    mov ax, BUFFER
    mov es, ax

    mov bp, 0                       ; number of the sector
write:
    mov [es:0], bp                  ; its first and its last word
    mov [es:510], bp
    mov ax, bp                      ; 36 sectors in a cylinder of two heads
    mov bl, 36
    div bl
    inc al                          ; cylinder
    mov ch, al
    mov al, ah
    xor ah, ah
    mov bl, 18
    div bl
    mov dh, al                      ; head
    mov cl, ah
    inc cl                          ; sector
    mov dl, [drive]
    xor bx, bx
    mov ax, 0x0301
    int 0x13
    jc failed
    inc bp
    cmp bp, COUNT
    jb write
    mov ax, bp
    call hex8
    mov si, written
    call print

all:
    mov ax, 0x0200 | COUNT
    mov cx, 0x0101                  ; cylinder 1, sector 1
    mov dh, 0
    mov dl, [drive]
    xor bx, bx
    int 0x13
    jc failed
    call hex8                       ; AL, how many it were
    mov si, read
    call print

    xor bx, bx
    xor bp, bp
check:
    cmp [es:bx], bp
    jne wrong
    cmp [es:bx + 510], bp
    jne wrong
    add bx, 512
    inc bp
    cmp bp, COUNT
    jb check
    mov si, good
    jmp end

failed:
    mov al, ah
    call hex8
    mov si, no
    jmp end

wrong:
    mov si, bad
end:
    call print
    cli
    hlt

%include "print.inc"

written:    db " sectors written.", 13, 10, 0
read:       db " sectors read.", 13, 10, 0
good:       db "Each is the one it should be.", 0
bad:        db "They are not in order.", 0
no:         db " is the status: that failed.", 0
drive:      db 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

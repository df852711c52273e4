; calls: makes the INT 10h calls of a list, and tells after each what it finds in registers, ports and memory
;
; load: 0x7c00, with the list behind it, all of it on a floppy
; output: records of RECORD bytes to port E9; ends by a write to port 501 (QEMU's isa-debug-exit)
;
; scripts/video-calls makes the list of tests/video/NAME.calls; tests/video.rs makes the same calls without a processor.

bits 16
cpu 386
org 0x7c00

DEBUG       equ 0xe9
EXIT        equ 0x501
STACK       equ 0x7c00

start:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, STACK
    sti
    cld

load:                           ; sector by sector, which every BIOS can
    mov bp, (END - start + 511) / 512 + LIST_SECTORS - 1
    mov bx, 0x7e00
    mov di, 1                   ; of the disk, from 0
.next:
    mov ax, di
    xor dx, dx
    mov si, 18
    div si                      ; AX track and head, DX sector
    mov cl, dl
    inc cl
    mov dh, al
    and dh, 1
    shr ax, 1
    mov ch, al
    mov dl, 0
    mov ax, 0x0201
    int 0x13
    jc .next
    add bx, 512
    inc di
    dec bp
    jnz .next
    jmp main

    times 510-($-$$) db 0
    dw 0xaa55

main:
    mov word [position], list
next:
    mov si, [position]
    lodsb
    mov [position], si
    movzx bx, al
    add bx, bx
    jmp [operations + bx]

operations:
    dw finish, call_it, poke, fill, out_byte

finish:
    mov dx, EXIT
    mov al, 0
    out dx, al
    hlt

poke:                           ; segment, offset, length, bytes
    call words3
    mov si, [position]
    rep movsb
    mov [position], si
    jmp next

fill:                           ; segment, offset, length, the first byte, what is added for the next
    call words3
    mov si, [position]
    lodsw
    mov [position], si
    xchg al, ah
    mov dl, al
    mov al, ah
.byte:
    stosb
    add al, dl
    loop .byte
    jmp next

words3:                         ; ES, DI and CX from the list
    mov si, [position]
    lodsw
    mov es, ax
    lodsw
    mov di, ax
    lodsw
    mov cx, ax
    mov [position], si
    ret

out_byte:                       ; port, value
    mov si, [position]
    lodsw
    mov dx, ax
    lodsb
    mov [position], si
    out dx, al
    jmp next

call_it:                        ; AX BX CX DX SI DI BP ES
    mov si, [position]
    mov di, registers
    mov cx, 8
    push ds
    pop es
    rep movsw
    mov [position], si
    mov ax, [registers]
    mov bx, [registers + 2]
    mov cx, [registers + 4]
    mov dx, [registers + 6]
    mov si, [registers + 8]
    mov di, [registers + 10]
    mov bp, [registers + 12]
    mov es, [registers + 14]
    int 0x10
    mov [registers], ax
    mov [registers + 2], bx
    mov [registers + 4], cx
    mov [registers + 6], dx
    mov [registers + 8], si
    mov [registers + 10], di
    mov [registers + 12], bp
    mov [registers + 14], es
    call record
    jmp next

record:
    push ds
    pop es
    mov si, registers
    mov cx, 16
    call tell
    mov si, 0x400               ; the BIOS data area
    mov cx, 256
    call tell
    mov si, 4 * 0x1f
    mov cx, 4
    call tell
    mov si, 4 * 0x43
    mov cx, 4
    call tell
    mov dx, 0x3cc
    in al, dx
    mov [misc], al
    call tell_byte
    mov dx, 0x3c4
    mov cx, 5
    call bank
    mov dx, 0x3d4
    test byte [misc], 1
    jnz .colour
    mov dx, 0x3b4
.colour:
    mov [crtc], dx
    mov cx, 25
    call bank
    mov dx, 0x3ce
    mov cx, 9
    call bank
    call attributes
    mov dx, 0x3c6
    in al, dx
    call tell_byte
    mov dx, 0x3c8
    in al, dx
    mov [dac_index], al
    mov dx, 0x3c7
    mov al, 0
    out dx, al
    mov dx, 0x3c9
    xor ebx, ebx
    mov cx, 768
.dac:
    in al, dx
    call sum
    loop .dac
    call tell_sum
    mov dx, 0x3c8
    mov al, [dac_index]
    out dx, al
    ; What is seen through the window, then plane by plane.
    call window_sum
    call plane_sums
    ret

; CX registers at the index port DX.
bank:
    in al, dx
    mov [index], al
    mov bl, 0
.next:
    mov al, bl
    out dx, al
    inc dx
    in al, dx
    dec dx
    call tell_byte
    inc bl
    loop .next
    mov al, [index]
    out dx, al
    ret

attributes:
    mov dx, [crtc]
    add dx, 6
    in al, dx
    mov dx, 0x3c0
    in al, dx
    mov [index], al
    call tell_byte
    mov cx, 21
    mov bl, 0
.next:
    mov dx, [crtc]
    add dx, 6
    in al, dx
    mov dx, 0x3c0
    mov al, bl
    out dx, al
    inc dx
    in al, dx
    call tell_byte
    inc bl
    loop .next
    mov dx, [crtc]
    add dx, 6
    in al, dx
    mov dx, 0x3c0
    mov al, [index]
    out dx, al
    mov dx, [crtc]
    add dx, 6
    in al, dx
    ret

window_sum:                     ; by miscellaneous register 6 of the graphics controller
    mov dx, 0x3ce
    in al, dx
    mov [index], al
    mov al, 6
    out dx, al
    inc dx
    in al, dx
    dec dx
    mov bl, al
    mov al, [index]
    out dx, al
    mov ax, 0xa000
    xor cx, cx                  ; 64 KiB
    and bl, 0x0c
    cmp bl, 0x04
    jbe .sum
    mov ax, 0xb000
    mov cx, 0x8000
    cmp bl, 0x08
    je .sum
    mov ax, 0xb800
.sum:
    call sum_memory
    ret

plane_sums:
    mov dx, 0x3c4
    mov ah, 4
    mov al, 0x06
    call exchange
    mov [saved], al
    mov dx, 0x3ce
    mov ah, 4
    mov al, 0
    call exchange
    mov [saved + 1], al
    mov ah, 5
    mov al, 0
    call exchange
    mov [saved + 2], al
    mov ah, 6
    mov al, 5
    call exchange
    mov [saved + 3], al
    mov bp, 0
.plane:
    mov dx, 0x3ce
    mov ah, 4
    mov cx, bp
    mov al, cl
    call exchange
    mov ax, 0xa000
    xor cx, cx
    call sum_memory
    inc bp
    cmp bp, 4
    jb .plane
    mov dx, 0x3c4
    mov ah, 4
    mov al, [saved]
    call exchange
    mov dx, 0x3ce
    mov ah, 4
    mov al, [saved + 1]
    call exchange
    mov ah, 5
    mov al, [saved + 2]
    call exchange
    mov ah, 6
    mov al, [saved + 3]
    call exchange
    ret

; Writes AL to register AH at the index port DX, whose index stays as it was. AL is what was there.
exchange:
    push bx
    mov bx, ax
    in al, dx
    push ax
    mov al, bh
    out dx, al
    inc dx
    in al, dx
    xchg al, bl
    out dx, al
    dec dx
    pop ax
    out dx, al
    mov al, bl
    pop bx
    ret

sum_memory:                     ; CX bytes in segment AX
    push ds
    mov ds, ax
    xor si, si
    xor ebx, ebx
.byte:
    lodsb
    rol ebx, 5
    xor bl, al
    add ebx, 0x9e3779b9
    loop .byte
    pop ds
    call tell_sum
    ret

sum:                            ; adds AL to the checksum in EBX
    rol ebx, 5
    xor bl, al
    add ebx, 0x9e3779b9
    ret

tell_sum:
    mov [sum_out], ebx
    push si
    push cx
    mov si, sum_out
    mov cx, 4
    call tell
    pop cx
    pop si
    ret

tell:                           ; CX bytes at SI
    lodsb
    call tell_byte
    loop tell
    ret

tell_byte:
    out DEBUG, al
    ret

position:       dw 0
registers:  times 8 dw 0
crtc:       dw 0
misc:       db 0
index:      db 0
dac_index:  db 0
saved:      times 4 db 0
sum_out:    dd 0

list:
END:

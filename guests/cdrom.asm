; cdrom: booted from a CD-ROM without emulation, reads the disc in its own sectors
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the drive, what INT 13h says was booted, and the name of the volume
;
; An El Torito CD-ROM has in sector 17 a pointer to the boot catalogue, and there where the boot image is, how many
; sectors of 512 bytes of it to load, where to, and whether it is the image of a disk that the firmware is to
; emulate. Without emulation DL is the drive, and packets (AH=42) name sectors of 2,048 bytes. Sector 16 describes the
; volume; its name is at 40. INT 13h AX=4B01 fills a packet with what was booted.
;
; Make:   mkdir cd && cp guests/bin/cdrom.bin cd
;         xorriso -as mkisofs -b cdrom.bin -no-emul-boot -boot-load-size 4 -V STEPVISOR -o cd.iso cd
; Run:    stepvisor run --cdrom cd.iso
; Debug:  stepvisor debug --cdrom cd.iso --symbols guests/bin/cdrom.elf
;         (gdb) monitor disk
;         (gdb) break-int 0x13 ah=0x42
;         (gdb) continue
;         (gdb) nexti
;         (gdb) x/s 0x8028

bits 16
cpu 386
global start

VOLUME      equ 16                  ; sector
BUFFER      equ 0x8000
NAME        equ BUFFER + 40
NAME_SIZE   equ 32

section .text
start:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov [drive], dl
    mov si, in_dl
    call print
    mov al, dl
    call hex8
    call newline

    mov ax, 0x4b01
    mov si, booted
    int 0x13
    mov si, no
    jc end
    mov si, media
    call print
    mov al, [booted + 1]
    call hex8
    mov si, of_drive
    call print
    mov al, [booted + 2]
    call hex8
    call newline

    mov ah, 0x42
    mov dl, [drive]
    mov si, packet
    int 0x13
    mov si, unreadable
    jc end
    mov byte [NAME + NAME_SIZE], 0
    mov si, volume
    call print
    mov si, NAME
end:
    call print
    cli
    hlt

%include "print.inc"

in_dl:      db "The drive in DL is ", 0
media:      db "Booted: type ", 0
of_drive:   db ", drive ", 0
volume:     db "The name of the disc is ", 0
no:         db "No CD-ROM was booted.", 0
unreadable: db "The disc cannot be read.", 0
drive:      db 0

align 4
packet:
    db 16, 0
    dw 1                            ; sectors of 2,048 bytes
    dw BUFFER, 0
    dq VOLUME
booted:
    db 19
    times 18 db 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

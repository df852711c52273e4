; fat12: finds a file on a floppy with a FAT file system, loads it by its chain of clusters, and runs it
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: the clusters of the file in their order, and what the file says when it runs
;
; A floppy with FAT12 has, one behind the other: the boot sector, with the parameters of the file system; the file
; allocation tables, twice the same; the root directory, in entries of 32 bytes; clusters of some sectors, numbered
; from 2. An entry has a name of 11 bytes and, at 26, the file's first cluster. The table has for each cluster
; the number of the file's next one, in 12 bits, two of them in three bytes; FF8 and above are the end.
;
; KERNEL.BIN lies in the clusters 2 and 4; NOTE.TXT is in between. `mdir -i guests/bin/fat12.bin` shows them.
;
; Run:    stepvisor run guests/bin/fat12.bin --drive 0
; Debug:  stepvisor debug guests/bin/fat12.bin --drive 0 --symbols guests/bin/fat12.elf
;         (gdb) break load
;         (gdb) continue
;         (gdb) x/11c $di                 the directory entry
;         (gdb) break *0x10000
;         (gdb) continue                  the file

bits 16
cpu 386
global start

FAT             equ 0x8000          ; where the table is read to
ROOT            equ 0x9000          ; and the directory
KERNEL          equ 0x1000          ; a segment: and the file

RESERVED        equ 1
FATS            equ 2
FAT_SECTORS     equ 5
ROOT_ENTRIES    equ 16
ROOT_START      equ RESERVED + FATS * FAT_SECTORS
CLUSTERS        equ ROOT_START + ROOT_ENTRIES * 32 / 512
CLUSTER_SECTORS equ 2
END             equ 0xff8

section .text
start:
    jmp short begin
    nop
    db "STEPVISR"
    dw 512                          ; bytes of a sector
    db CLUSTER_SECTORS
    dw RESERVED
    db FATS
    dw ROOT_ENTRIES
    dw 2880                         ; sectors
    db 0xf0                         ; 1.44 MB
    dw FAT_SECTORS
track:
    dw 18                           ; sectors of a track
heads:
    dw 2
    dd 0                            ; sectors before
    dd 0
    db 0, 0, 0x29                   ; drive; what follows is there
    dd 0x12345678
    db "STEPVISOR  "
    db "FAT12   "

begin:
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    mov [drive], dl
    cld

    mov ax, RESERVED
    mov cx, FAT_SECTORS
    mov bx, FAT
    call read
    mov ax, ROOT_START
    mov cx, CLUSTERS - ROOT_START
    mov bx, ROOT
    call read

    mov di, ROOT
    mov dx, ROOT_ENTRIES
find:
    mov si, name
    mov cx, 11
    push di
    repe cmpsb
    pop di
    je load
    add di, 32
    dec dx
    jnz find
    mov si, no_file
    jmp stop

load:
    mov si, in_clusters
    call print
    mov bp, [di + 26]               ; the first cluster
    mov ax, KERNEL
    mov es, ax
    xor bx, bx
.next:
    mov ax, bp
    call hex8
    mov al, ' '
    call putc
    lea ax, [bp - 2]
    mov cx, CLUSTER_SECTORS
    mul cx                          ; DX is 0
    add ax, CLUSTERS
    call read
    mov si, bp                      ; one and a half bytes each
    shr si, 1
    add si, bp
    mov ax, [FAT + si]
    test bp, 1
    jz .even
    shr ax, 4
.even:
    and ax, 0xfff
    mov bp, ax
    cmp ax, END
    jb .next
    call newline
    mov dl, [drive]
    jmp KERNEL:0

; reads CX sectors from AX on to ES:BX, one by one, and moves BX behind them
read:
    pusha
    xor dx, dx
    div word [track]
    mov cl, dl
    inc cl                          ; sector
    xor dx, dx
    div word [heads]
    mov dh, dl                      ; head
    mov ch, al                      ; cylinder
    mov dl, [drive]
    mov si, 3                       ; tries
.again:
    mov ax, 0x0201
    int 0x13
    jnc .done
    xor ah, ah
    int 0x13
    dec si
    jnz .again
    mov si, unreadable
    jmp stop
.done:
    popa
    inc ax
    add bx, 512
    loop read
    ret

stop:
    call print
    cli
    hlt

%include "print.inc"

name:           db "KERNEL  BIN"
in_clusters:    db "KERNEL.BIN is in the clusters ", 0
no_file:        db "There is no KERNEL.BIN.", 0
unreadable:     db "The floppy cannot be read.", 0
drive:          db 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

%macro fat 0
    db 0xf0, 0xff, 0xff             ; 0 and 1: the kind of disk, and ones
    db 0x04, 0xf0, 0xff             ; 2: 004, 3: FFF
    db 0xff, 0x0f, 0x00             ; 4: FFF
    times (FAT_SECTORS * 512) - 9 db 0
%endmacro

    fat
    fat

root:
    db "STEPVISOR  ", 0x08          ; the name of the volume
    times 14 db 0
    dw 0
    dd 0
    db "NOTE    TXT", 0x20
    times 14 db 0
    dw 3
    dd note.end - note
    db "KERNEL  BIN", 0x20
    times 14 db 0
    dw 2
    dd kernel.end - kernel - CLUSTER_SECTORS * 512
    times ROOT_ENTRIES * 32 - ($ - root) db 0

; KERNEL.BIN, its first cluster. It runs at KERNEL:0000.
kernel:
    push cs
    pop ds
    mov si, .hello - kernel
    call .print
    mov si, .second - CLUSTER_SECTORS * 512 - kernel ; cluster 4 comes behind cluster 2
    call .print
    cli
    hlt
.print:
    lodsb
    test al, al
    jz .printed
    mov ah, 0x0e
    xor bx, bx
    int 0x10
    jmp .print
.printed:
    ret
.hello:
    db "KERNEL.BIN runs; its second cluster says: ", 0
    times CLUSTER_SECTORS * 512 - ($ - kernel) db 0

note:
    db "Between the two clusters of KERNEL.BIN.", 13, 10
.end:
    times CLUSTER_SECTORS * 512 - ($ - note) db 0

; KERNEL.BIN, its second cluster
kernel.second:
    db "the chain was right.", 0
kernel.end:
    times CLUSTER_SECTORS * 512 - ($ - kernel.second) db 0

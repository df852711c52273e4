; partition: a master boot record, and the boot sector of the partition that it starts
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt
; screen: what the master boot record has found, and the text of the partition's boot sector
;
; The last 66 bytes of a hard disk's first sector are four entries of 16 bytes and the mark. An entry has 80h if the
; partition is the one to boot, where it begins and ends as DH, CX of INT 13h, its type, and the same as a
; sector number and a count. The record copies itself out of the way, loads the first sector of that partition
; to 0000:7C00, the place it had itself, and jumps there with DL as the firmware gave it, and DS:SI at the entry.
;
; Run:    stepvisor run guests/bin/partition.bin
; Debug:  stepvisor debug guests/bin/partition.bin --symbols guests/bin/partition.elf
;         (gdb) tbreak moved
;         (gdb) continue
;         (gdb) watch *(unsigned short *) 0x7c00
;         (gdb) continue                  INT 13h puts the other sector in its place
;         (gdb) up
;         (gdb) tbreak *0x7c00
;         (gdb) continue

bits 16
cpu 386
global start

HERE        equ 0x7c00
ELSEWHERE   equ 0x0600
ENTRIES     equ 446
ACTIVE      equ 0x80

section .text
start:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, HERE
    mov si, HERE
    mov di, ELSEWHERE
    mov cx, 256
    cld
    rep movsw
    jmp 0x0000:ELSEWHERE + (moved - start)

; From here on at 0600: whatever is addressed has to be, too.
%define at_600(label) (ELSEWHERE + (label - start))

moved:
    mov si, at_600(entries)
    mov cx, 4
.next:
    cmp byte [si], ACTIVE
    je .found
    add si, 16
    loop .next
    mov si, at_600(no_partition)
    jmp stop

.found:
    mov bp, 3                       ; tries
.again:
    mov dh, [si + 1]
    mov cx, [si + 2]
    mov bx, HERE
    mov ax, 0x0201
    int 0x13
    jnc .read
    xor ah, ah
    int 0x13
    dec bp
    jnz .again
    mov si, at_600(unreadable)
    jmp stop
.read:
    cmp word [HERE + 510], 0xaa55
    mov di, at_600(no_mark)
    jne .stop
    push si
    mov si, at_600(found)
    call print
    pop si
    mov al, [si + 4]
    call hex8
    call newline
    jmp 0x0000:HERE
.stop:
    mov si, di
stop:
    call print
    cli
    hlt

%include "print.inc"

found:          db "The master boot record starts a partition of type ", 0
no_partition:   db "No partition is active.", 0
unreadable:     db "The partition's boot sector cannot be read.", 0
no_mark:        db "The partition's boot sector has no mark.", 0

    times ENTRIES - ($ - $$) db 0
entries:
    times 16 db 0                   ; an entry that is not used
    db ACTIVE, 0, 2, 0              ; from cylinder 0, head 0, sector 2
    db 0x7f                         ; a type for experiments
    db 0, 2, 0                      ; to the same place
    dd 1, 1                         ; sector 1, a single one
    times 32 db 0
    dw 0xaa55

; The partition's boot sector is loaded to 7C00, and linked behind the record.
%define at_7c00(label) (HERE + (label - volume))

volume:
    push si
    mov si, at_7c00(hello)
    call .print
    pop si
    mov si, at_7c00(good)
    cmp dl, 0x80
    je .drive
    mov si, at_7c00(bad)
.drive:
    call .print
    cli
    hlt
.print:
    lodsb
    test al, al
    jz .end
    mov ah, 0x0e
    xor bx, bx
    int 0x10
    jmp .print
.end:
    ret

hello:  db "This is the partition's boot sector.", 13, 10, 0
good:   db "DL is still the drive, 80.", 0
bad:    db "DL is not the drive.", 0

    times 510 - ($ - volume) db 0
    dw 0xaa55

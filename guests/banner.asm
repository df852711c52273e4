; banner: the first guest of every hypervisor course, a few coloured letters at address 0
;
; load: 0x0
; format: elf32
; entry: 0000:0000
; ends: hlt with interrupts off, nothing can wake the processor
; screen: STEPVISOR in large letters, each row in another colour, and a line below
;
; There is no boot sector here and no BIOS: the VMM copies the image to guest address 0 and sets CS:IP
; to 0000:0000. So the code lies where real mode keeps its interrupt vectors (0000-03FF), which is fine
; for a guest that never takes an interrupt.
;
; A store to B8000-BFFFF does not go to RAM: the VMM sees it and keeps a text screen. Each character
; cell is two bytes, the CP437 character and its colour, and this guest writes them one byte at a time.
;
; Run:    stepvisor run --load 0 --entry 0:0 guests/bin/banner.bin
; Debug:  stepvisor debug guests/bin/banner.elf
;         (gdb) break next_row
;         (gdb) continue                  a row of letters is on the screen: monitor screen
;         (gdb) print/x $ah               its colour
;         (gdb) delete
;         (gdb) continue                  to the end

bits 16
cpu 386
global start

VIDEO       equ 0xb800          ; segment of colour text memory, linear B8000
ROW_BYTES   equ 80 * 2          ; 80 cells of character and colour
FIRST_COLOR equ 0x09            ; light blue on black; 0Ah is light green, and so on

section .text
start:
    cli                         ; no vectors are set up: an interrupt would run wild
    cld                         ; lods and stos count upwards
    mov ax, cs
    mov ds, ax                  ; the text is in our own segment, whatever DS was
    mov ax, VIDEO
    mov es, ax                  ; stos writes to ES:DI
    mov si, banner
    xor bx, bx                  ; BX: where the current row starts
    mov di, bx                  ; DI: the next byte to write
    mov ah, FIRST_COLOR

next_char:
    lodsb                       ; AL = DS:[SI], SI + 1
    cmp al, 0
    je done
    cmp al, 10                  ; a line feed starts a new row
    je next_row
    stosb                       ; ES:[DI] = AL, the character; DI + 1
    mov [es:di], ah             ; and after it the colour
    inc di
    jmp next_char

next_row:
    add bx, ROW_BYTES
    mov di, bx
    inc ah                      ; each row has its colour
    jmp next_char

done:
    hlt                         ; interrupts are off: this is the end
    jmp done                    ; (only a non-maskable interrupt would come here)

banner:
    db " #### ##### ##### ####  #   # ###  ####  ###  #### ", 10
    db "#       #   #     #   # #   #  #  #     #   # #   #", 10
    db " ###    #   ####  ####  #   #  #   ###  #   # #### ", 10
    db "    #   #   #     #      # #   #      # #   # #  # ", 10
    db "####    #   ##### #       #   ### ####   ###  #   #", 10
    db 10
    db "Hello from guest address 0: real mode, no BIOS, no boot sector.", 0

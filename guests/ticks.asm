; ticks: the timer's interrupt, IRQ 0, counted by a handler of one's own
;
; load: 0x7c00
; format: elf32
; entry: 0000:7c00
; ends: cli; hlt, after ten ticks
; screen: row 0 says that ten ticks have come
;
; Counter 0 of the timer raises line 0 of the first interrupt controller, an 8259A at ports 20 and 21. The controller
; asks the processor, which finishes its instruction, pushes FLAGS, CS and IP as INT n does, and goes on at the
; vector that the controller names: 8 for line 0, as firmware has it. The handler says "end of interrupt" by
; writing 20 to port 20; until then nothing of the same or a lower priority comes.
;
; STI lets interrupts in, HLT waits for one. STI takes effect one instruction late, so that nothing can come between
; the two and leave the processor waiting for the next.
;
; Run:    stepvisor run guests/bin/ticks.bin
; Debug:  stepvisor debug guests/bin/ticks.elf
;         (gdb) tbreak wait_tick
;         (gdb) continue
;         (gdb) stepi                     steps never fall into the handler,
;         (gdb) break tick
;         (gdb) continue                  a guest that runs does
;         (gdb) backtrace
;         (gdb) monitor pic               line 0 is in service
;         (gdb) monitor pit

bits 16
cpu 386
global start

PIC         equ 0x20
PIC_MASK    equ 0x21
EOI         equ 0x20
COUNTER_0   equ 0x40
CONTROL     equ 0x43
COUNT       equ 1193            ; cycles of 1193182 Hz: 1 ms
VECTOR      equ 8
VIDEO       equ 0xb800

section .text
start:
    cli
    jmp 0x0000:main

main:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, VIDEO
    mov es, ax
    cld

    mov word [VECTOR * 4], tick ; offset, then segment
    mov word [VECTOR * 4 + 2], 0
    mov al, 0xfe                ; no line but 0
    out PIC_MASK, al

    mov al, 0x34                ; counter 0, low byte then high byte, mode 2: over and over
    out CONTROL, al
    mov al, COUNT & 0xff
    out COUNTER_0, al
    mov al, COUNT >> 8
    out COUNTER_0, al

wait_tick:
    cli                         ; nothing comes between the look and the wait
    cmp word [ticks], 10
    jae done
    sti
    hlt
    jmp wait_tick

done:
    mov si, text_done
    xor di, di                  ; row 0
    mov ah, 0x0f
.next:
    lodsb
    test al, al
    jz halt
    stosw
    jmp .next

halt:
    cli
    hlt
    jmp halt

tick:
    push ax                     ; whatever was interrupted must not notice
    inc word [cs:ticks]
    mov al, EOI
    out PIC, al
    pop ax
    iret

ticks:
    dw 0
text_done:
    db "Ten ticks have come.", 0

    times 510 - ($ - $$) db 0
    dw 0xaa55

; A handler of the divide error that stops the machine, by a routine that it jumps to.
;
; load: 0x7c00
; format: elf32

bits 16
global start

section .text
start:
    xor ax, ax
    mov ds, ax
    mov dword [0x00 * 4], on_divide_error
    call divide
    jmp $

divide:
    xor bl, bl
    div bl
    ret

on_divide_error:
    push ds
    pusha
    jmp panic

panic:
    cli
    hlt
    jmp panic

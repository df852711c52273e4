; The DWARF compilation unit of a guest: which source file its line table speaks of.
;
; NASM writes such a unit itself, but puts the absolute directory of the build in it, so that every
; checkout would give another ELF file. This one says "." instead: gdb then looks for guests/NAME.asm
; in its current directory and by its last component. Only this unit is linked, see flat.ld.
;
; Defined by scripts/build-guests: SOURCE, the path of the guest's source as gdb shall show it; HIGH, if the guest is
; linked by high.ld.
; Layout: DWARF version 2, section 7.5; the ranges of a unit in two pieces are from version 3.

%ifidn __OUTPUT_FORMAT__, elf64
    %define ADDRESS dq
    %define ADDRESS_SIZE 8
%else
    %define ADDRESS dd
    %define ADDRESS_SIZE 4
%endif

extern image_start, image_end
%ifdef HIGH
extern high_start, high_end
%endif

section .debug_abbrev noalloc noexec nowrite progbits align=1
unit_abbreviations:
    db 1                        ; abbreviation 1 is
    db 0x11, 0                  ;   DW_TAG_compile_unit, without children, with
    db 0x10, 0x06               ;   DW_AT_stmt_list, DW_FORM_data4
    db 0x11, 0x01               ;   DW_AT_low_pc, DW_FORM_addr
%ifdef HIGH
    db 0x55, 0x06               ;   DW_AT_ranges, DW_FORM_data4
%else
    db 0x12, 0x01               ;   DW_AT_high_pc, DW_FORM_addr
%endif
    db 0x03, 0x08               ;   DW_AT_name, DW_FORM_string
    db 0x1b, 0x08               ;   DW_AT_comp_dir, DW_FORM_string
    db 0x13, 0x05               ;   DW_AT_language, DW_FORM_data2
    db 0, 0                     ; end of its attributes
    db 0                        ; end of the table

section .debug_info noalloc noexec nowrite progbits align=1
unit:
    dd unit_end - unit_version  ; length of what follows
unit_version:
    dw 2                        ; DWARF version
    dd 0                        ; offset of the abbreviations, the only ones
    db ADDRESS_SIZE
    db 1                        ; abbreviation 1:
    dd 0                        ;   offset of the line table, the only one
%ifdef HIGH
    ADDRESS 0                   ; what the ranges count from
    dd 0                        ; offset of the ranges, the only ones
%else
    ADDRESS image_start
    ADDRESS image_end
%endif
    db SOURCE, 0
    db ".", 0
    dw 0x8001                   ;   DW_LANG_Mips_Assembler, which gdb takes for any assembler
unit_end:

%ifdef HIGH
section .debug_ranges noalloc noexec nowrite progbits align=1
    ADDRESS image_start, image_end
    ADDRESS high_start, high_end
    ADDRESS 0, 0                ; no more
%endif

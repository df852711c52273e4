# guest: ../../guests/bin/int.elf
# transcript: interrupt_vectors.out
# errors: shown

gdt
idt
tbreak first_int
continue
ivt
ivt 0x21
ivt 0x10
ivt 300
monitor ivt 0x60

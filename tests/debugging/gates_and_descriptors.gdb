# guest: ../../guests/bin/calls.elf
# transcript: gates_and_descriptors.out
# errors: shown

tbreak trap
continue
ivt 0x60
idt
idt 0x30
idt 0x31
gdt
gdt 0x10
gdt 0x20
gdt nothing
monitor idt
print/x $linear(0x10, 5)
print $linear(0x20, 5)

# guest: bios_entry.asm
# bios: none
# drive: 0x81
assert ($eflags & 0x200) == 0
assert $sp == 0x7c00 && ($edx & 0xff) == 0x81
assert *(unsigned int *)(4 * 0x10) == 0

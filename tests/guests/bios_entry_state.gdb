# guest: bios_entry.asm
# drive: 0
assert $eax == 0xaa55
assert $bx == 0 && $cx == 0 && $dx == 0 && $si == 0 && $di == 0 && $bp == 0
assert $ds == 0 && $es == 0 && $ss == 0 && $cs == 0
assert $sp == 0x6f04
assert ($eflags & 0x200) != 0
assert *(unsigned short *)0x6f06 == 0xf000
assert *(unsigned char *)0xffffe == 0xfc
assert *(unsigned short *)0x413 == 639
assert *(unsigned int *)(4 * 0x10) == 0xf000f065
assert *(unsigned char *)0x449 == 3

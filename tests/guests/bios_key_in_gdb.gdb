# guest: bios_ending.asm
# nasm: -DHOW=key
# ends: halt
continue
assert $cs == 0xf000
monitor key ab
tbreak *0x7c04
continue
assert $eax == 0x1e61

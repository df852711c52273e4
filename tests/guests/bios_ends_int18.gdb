# guest: bios_ending.asm
# nasm: -DHOW=0x18
# ends: int18

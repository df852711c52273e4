# guest: bios_ending.asm
# nasm: -DHOW=0x19
# ends: int19

# guest: bios_ending.asm
# nasm: -DHOW=key
# ends: key
# keys: x

# guest: bios_ending.asm
# nasm: -DHOW=far
# ends: returned

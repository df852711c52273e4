# guest: bios_ending.asm
# nasm: -DHOW=power
# ends: power-off

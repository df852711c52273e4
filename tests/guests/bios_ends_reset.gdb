# guest: bios_ending.asm
# nasm: -DHOW=reset
# ends: reset

# guest: ../../guests/bin/keybuffer.elf
# ends: halt
# screen file: ../screens/keybuffer.txt
# memory 0x41a: 1e 00 1e 00

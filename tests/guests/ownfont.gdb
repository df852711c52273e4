# guest: ../../guests/bin/ownfont.elf
# ends: halt
# screen file: ../screens/ownfont.txt
# memory 0x484: 31 08 00

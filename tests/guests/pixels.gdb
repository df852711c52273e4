# guest: ../../guests/bin/pixels.elf
# ends: halt
# screen file: ../screens/pixels.txt
# memory 0x7c63: 64
# memory 0xa0000: 00
# memory 0xaf987: c7

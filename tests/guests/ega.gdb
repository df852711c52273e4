# guest: ../../guests/bin/ega.elf
# ends: halt
# screen file: ../screens/ega.txt
# memory 0x7c74: 0a 00 20 0a 00 40 0a 00 80

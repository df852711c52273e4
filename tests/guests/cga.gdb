# guest: ../../guests/bin/cga.elf
# ends: halt
# screen file: ../screens/cga.txt
# memory 0xb8013: 00 55

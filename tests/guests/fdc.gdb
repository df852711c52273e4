# guest: ../../guests/bin/fdc.elf
# ends: halt
# screen file: ../screens/fdc.txt
# writes port 0x3f2: 0x00 0x0c

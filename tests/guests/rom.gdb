# guest: ../../guests/bin/rom.elf
# ends: halt
# screen file: ../screens/rom.txt

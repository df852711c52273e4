# guest: ../../guests/bin/palette.elf
# ends: halt
# screen file: ../screens/palette.txt

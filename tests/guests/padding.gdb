# guest: ../../guests/bin/padding.elf
# ends: halt
# screen file: ../screens/padding.txt

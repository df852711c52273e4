# guest: ../../guests/bin/picread.elf
# ends: halt
# screen file: ../screens/picread.txt

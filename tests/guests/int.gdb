# guest: ../../guests/bin/int.elf
# ends: halt
# screen file: ../screens/int.txt

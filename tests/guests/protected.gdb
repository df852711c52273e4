# guest: ../../guests/bin/protected.elf
# ends: halt
# screen file: ../screens/protected.txt
# register cs: 8

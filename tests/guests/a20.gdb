# guest: ../../guests/bin/a20.elf
# ends: halt
# screen file: ../screens/a20.txt

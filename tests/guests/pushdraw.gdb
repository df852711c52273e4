# guest: ../../guests/bin/pushdraw.elf
# ends: halt
# screen file: ../screens/pushdraw.txt

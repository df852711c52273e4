# guest: ../../guests/bin/entry.elf
# ends: halt
# screen file: ../screens/entry.txt

# guest: ../../guests/bin/a20bios.elf
# ends: halt
# screen file: ../screens/a20bios.txt

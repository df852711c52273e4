# guest: ../../guests/bin/ata.elf
# ends: halt
# screen file: ../screens/ata.txt

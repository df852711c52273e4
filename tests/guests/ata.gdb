# guest: ../../guests/bin/ata.elf
# hda: ../../guests/bin/ata.bin
# ends: halt
# screen file: ../screens/ata.txt

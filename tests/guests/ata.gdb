# guest: ../../guests/bin/ata.bin
# ends: halt
# screen file: ../screens/ata.txt

# guest: ../../guests/bin/lba.bin
# ends: halt
# screen file: ../screens/lba.txt

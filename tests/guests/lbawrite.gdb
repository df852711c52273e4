# guest: ../../guests/bin/lbawrite.bin
# ends: halt
# screen file: ../screens/lbawrite.txt

# guest: ../../guests/bin/vectors.elf
# ends: halt
# screen file: ../screens/vectors.txt

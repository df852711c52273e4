# guest: ../../guests/bin/modex.elf
# ends: halt
# screen file: ../screens/modex.txt

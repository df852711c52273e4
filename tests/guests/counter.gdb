# guest: ../../guests/bin/counter.elf
# ends: halt
# screen file: ../screens/counter.txt

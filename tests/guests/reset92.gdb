# guest: ../../guests/bin/reset92.elf
# ends: reset
# screen file: ../screens/reset92.txt

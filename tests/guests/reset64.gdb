# guest: ../../guests/bin/reset64.elf
# ends: reset
# screen file: ../screens/reset64.txt

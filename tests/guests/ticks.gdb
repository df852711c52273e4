# guest: ../../guests/bin/ticks.elf
# ends: halt
# screen file: ../screens/ticks.txt

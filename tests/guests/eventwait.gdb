# guest: ../../guests/bin/eventwait.elf
# ends: halt
# screen file: ../screens/eventwait.txt

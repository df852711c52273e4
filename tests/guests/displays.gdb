# guest: ../../guests/bin/displays.elf
# ends: halt
# screen file: ../screens/displays.txt

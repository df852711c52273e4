# guest: ../../guests/bin/setclock.elf
# ends: halt
# screen file: ../screens/setclock.txt

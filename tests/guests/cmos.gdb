# guest: ../../guests/bin/cmos.elf
# ends: halt
# screen file: ../screens/cmos.txt

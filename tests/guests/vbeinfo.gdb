# guest: ../../guests/bin/vbeinfo.elf
# ends: halt
# screen file: ../screens/vbeinfo.txt

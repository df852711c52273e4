# guest: ../../guests/bin/lines.elf
# ends: halt
# screen file: ../screens/lines.txt

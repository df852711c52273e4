# guest: ../../guests/bin/cursor.elf
# ends: halt
# screen file: ../screens/cursor.txt

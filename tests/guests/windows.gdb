# guest: ../../guests/bin/windows.elf
# ends: halt
# screen file: ../screens/windows.txt
# memory 0x7c8a: 2a 07 01 28

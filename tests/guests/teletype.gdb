# guest: ../../guests/bin/teletype.elf
# ends: halt
# screen file: ../screens/teletype.txt
# memory 0x7c92: 78 1e
# memory 0x7c94: 04 05
# memory 0x450: 04 05

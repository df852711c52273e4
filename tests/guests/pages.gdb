# guest: ../../guests/bin/pages.elf
# ends: halt
# screen file: ../screens/pages.txt
# memory 0x7c4c: 03 50
# memory 0x7c4e: 01
# memory 0x450: 00 00 01 01 02 02 03 03 04 04 05 05 06 06 07 07
# memory 0x460: 07 00 01

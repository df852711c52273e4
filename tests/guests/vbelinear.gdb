# guest: ../../guests/bin/vbelinear.elf
# ends: halt
# screen file: ../screens/vbelinear.txt
# memory 0x7cd6: 00 00 00 fd
# memory 0xfd0004fc: 00 00 fe 00
# memory 0xfd004ffc: ff 00 00 00

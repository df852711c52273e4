# guest: ../../guests/bin/twocolours.elf
# ends: halt
# screen file: ../screens/twocolours.txt
# memory 0x7c63: 01
# memory 0xb8000: ff 00 ff 00
# memory 0xba000: ff 00 ff 00

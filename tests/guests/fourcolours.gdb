# guest: ../../guests/bin/fourcolours.elf
# ends: halt
# screen file: ../screens/fourcolours.txt
# memory 0x7c54: 03 16
# memory 0xb8000: 00 00 00 00 55 55 55 55 aa
# memory 0xba000: 00 00 00 00 55

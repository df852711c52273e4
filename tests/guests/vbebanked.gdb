# guest: ../../guests/bin/vbebanked.elf
# ends: halt
# screen file: ../screens/vbebanked.txt
# memory 0xfd000000: 09
# memory 0xfd010000: 0a
# memory 0xa0000: 0d

# guest: ../../guests/bin/scroll.elf
# ends: halt
# screen file: ../screens/scroll.txt
# memory 0xb8000: 44

# guest: ../../guests/bin/mode13h.elf
# ends: halt
# screen file: ../screens/mode13h.txt
# memory 0xa1400: 20 20 20 20 20 20 20 20 21

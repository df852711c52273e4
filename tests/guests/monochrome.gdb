# guest: ../../guests/bin/monochrome.elf
# ends: halt
# screen file: ../screens/monochrome.txt
# memory 0xb0000: 6e 07 6f 07

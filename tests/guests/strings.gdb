# guest: ../../guests/bin/strings.elf
# ends: halt
# screen file: ../screens/strings.txt
# memory 0x450: 01 0a

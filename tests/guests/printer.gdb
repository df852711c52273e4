# guest: ../../guests/bin/printer.elf
# ends: halt
# screen file: ../screens/printer.txt

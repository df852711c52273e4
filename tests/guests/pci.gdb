# guest: ../../guests/bin/pci.elf
# ends: halt
# screen file: ../screens/pci.txt

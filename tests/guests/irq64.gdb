# guest: ../../guests/bin/irq64.elf
# ends: halt
# screen file: ../screens/irq64.txt

# guest: ../../guests/bin/irq32.elf
# ends: halt
# screen file: ../screens/irq32.txt

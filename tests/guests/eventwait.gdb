# guest: ../../guests/bin/eventwait.elf
# ends: halt
# screen row 0: 000180

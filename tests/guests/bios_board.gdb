# guest: ../../guests/bin/board.elf
# memory: 64M
# ends: halt
# screen row 0: 0423 027f fc00 3c00 0300
# screen row 1: 00000000 0009fc00 01
# screen row 2: 0009fc00 00000400 02
# screen row 3: 000f0000 00010000 02
# screen row 4: 00100000 03f00000 01
# screen row 5: fc 01 0102 PM 8620

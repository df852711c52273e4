# guest: ../../guests/bin/com1.elf
# ends: halt
# serial: Hello from INT 14h
# screen row 0: b060
# screen row 1: 80
# screen row 2: 01
# screen row 3: 01

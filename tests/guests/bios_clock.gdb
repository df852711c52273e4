# guest: ../../guests/bin/clock.elf
# ends: halt
# screen row 0: 2000-01-01 12:00
# screen row 1: Half a second: 9 or 10 ticks, and as many calls of INT 1Ch.

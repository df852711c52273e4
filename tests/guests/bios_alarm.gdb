# guest: ../../guests/bin/alarm.elf
# ends: halt
# screen row 0: 512 periods: half a second.
# screen row 1: The alarm came.

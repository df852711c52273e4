# guest: ../../guests/bin/hooks.elf
# keys: x
# ends: halt
# screen row 0: HELLO
# screen row 1: X
# screen row 2: TIMER AND KEYBOARD WENT THROUGH HERE

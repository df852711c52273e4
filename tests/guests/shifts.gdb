# guest: ../../guests/bin/shifts.elf
# keys: a{CapsLock}aA{NumLock}{KP7}{Esc}
# ends: halt
# screen row 0: 1e61 000000
# screen row 1: 1e41 404004
# screen row 2: 1e61 424204
# screen row 3: 4737 606006
# screen row 4: 011b 606006
# memory 0x417: 60

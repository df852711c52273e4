# guest: ../../guests/bin/keys.elf
# keys: aB{F1}{Up}{Ctrl+C}{Alt+x}{KP5}{Esc}
# ends: halt
# screen row 0: 00
# screen row 1: 2d78 00
# screen row 2: 1e61 00
# screen row 3: 3042 02
# screen row 4: 3b00 00
# screen row 5: 48e0 00
# screen row 6: 2e03 04
# screen row 7: 2d00 08
# screen row 8: 4c00 00
# screen row 9: 011b 00
# screen row 10: 0000

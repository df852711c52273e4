# guest: ../../guests/bin/filters.elf
# keys: axa{Ctrl+Pause}{Esc}
# ends: halt
# screen row 0: 3062 3062 0000 011b
# screen row 1: 0180

# guest: ../../guests/bin/filters.elf
# keys: axa{Ctrl+Pause}{Esc}
# ends: halt
# screen file: ../screens/filters.txt

# guest: ../../guests/bin/scancodes.elf
# keys: a{Up}{Esc}a{Up}{Esc}
# ends: halt
# screen file: ../screens/scancodes.txt

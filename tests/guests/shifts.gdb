# guest: ../../guests/bin/shifts.elf
# keys: a{CapsLock}aA{NumLock}{KP7}{Esc}
# ends: halt
# screen file: ../screens/shifts.txt

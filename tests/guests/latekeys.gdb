# guest: ../../guests/bin/latekeys.elf
# keys: ab{Esc}
# ends: halt
# screen file: ../screens/latekeys.txt

# guest: ../../guests/bin/keyirq.elf
# keys: ab{Up}{Esc}
# ends: halt
# screen file: ../screens/keyirq.txt

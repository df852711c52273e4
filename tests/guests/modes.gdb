# guest: ../../guests/bin/modes.elf
# ends: halt
# screen file: ../screens/modes.txt
# register cs: 0

# guest: ../../guests/bin/mode12h.elf
# ends: halt
# screen file: ../screens/mode12h.txt
# register al: 10

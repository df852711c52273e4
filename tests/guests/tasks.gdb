# guest: ../../guests/bin/tasks.elf
# ends: halt
# screen file: ../screens/tasks.txt
# register tr: 0x18

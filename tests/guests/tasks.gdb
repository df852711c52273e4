# guest: ../../guests/bin/tasks.elf
# ends: halt
# screen file: ../screens/tasks.txt
# register eflags: 0x46

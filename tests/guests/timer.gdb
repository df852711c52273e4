# guest: ../../guests/bin/timer.elf
# ends: halt
# screen file: ../screens/timer.txt
# writes port 0x43: 0xb0
# writes port 0x42: 0xa9 4

# guest: ../../guests/bin/speaker.elf
# ends: halt
# screen file: ../screens/speaker.txt
# writes port 0x42: 100 0

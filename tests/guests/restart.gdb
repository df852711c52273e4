# guest: ../../guests/bin/restart.elf
# ends: reset
# screen file: ../screens/restart.txt
# memory 0x472: 34 12

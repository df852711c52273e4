# guest: ../../guests/bin/dac.elf
# ends: halt
# screen file: ../screens/dac.txt
# writes port 0x3c6: 0x0f 0xff

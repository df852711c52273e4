# guest: ../../guests/bin/motor.bin
# drive: 0
# ends: halt
# screen file: ../screens/motor.txt
# memory 0x43e: 01 00 00 00

# guest: ../../guests/bin/diskette.bin
# drive: 0
# ends: halt
# screen file: ../screens/diskette.txt
# memory 0x78: 00 06 00 00

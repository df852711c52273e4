# guest: ../../guests/bin/formatting.bin
# drive: 0
# ends: halt
# screen file: ../screens/formatting.txt

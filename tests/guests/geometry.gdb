# guest: ../../guests/bin/geometry.bin
# drive: 0
# ends: halt
# screen file: ../screens/geometry.txt

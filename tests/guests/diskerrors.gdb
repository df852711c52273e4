# guest: ../../guests/bin/diskerrors.bin
# drive: 0
# ends: halt
# screen file: ../screens/diskerrors.txt

# guest: ../../guests/bin/fire.elf
# ends: halt
# screen file: ../screens/fire.txt
# memory 0xa1a44: 75 73 68 5d 5a 60 69 6a
# memory 0xa1a6c: 75 73 68 5d 5a 60 69 6a

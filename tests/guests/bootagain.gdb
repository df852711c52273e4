# guest: ../../guests/bin/bootagain.elf
# ends: int19
# screen file: ../screens/bootagain.txt

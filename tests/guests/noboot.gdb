# guest: ../../guests/bin/noboot.elf
# ends: int18
# screen file: ../screens/noboot.txt

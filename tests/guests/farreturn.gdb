# guest: ../../guests/bin/farreturn.elf
# ends: returned
# screen file: ../screens/farreturn.txt

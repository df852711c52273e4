# guest: ../../guests/banner.asm
# ends: halt
# screen file: ../screens/banner.txt

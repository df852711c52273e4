# guest: ../../guests/bin/planar.elf
# ends: halt
# screen file: ../screens/planar.txt
# console: FF00AA

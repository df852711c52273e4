# guest: ../../guests/bin/unreal.elf
# ends: halt
# screen file: ../screens/unreal.txt
# memory 0x100000: ea 1d 0d 60

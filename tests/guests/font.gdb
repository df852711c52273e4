# guest: ../../guests/bin/font.elf
# ends: halt
# screen file: ../screens/font.txt
# memory 0xb8000: 41 07 41 07 41 0f 41 0f

break close
continue
assert memory 0xa0820: aa 55 aa 55

# guest: ../../guests/bin/calls.elf
# ends: halt
# screen file: ../screens/calls.txt

break tick
continue
assert $cs == 0x7c0
assert hits 1: 1

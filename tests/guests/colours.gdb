# guest: ../../guests/bin/colours.elf
# ends: halt
# screen file: ../screens/colours.txt
# memory 0xb8000: 70 04

break dac
continue
assert screen row 1: DAC

# guest: ../../guests/bin/askkey.elf
# ends: key
# screen row 0: Press a key:

## fails: failed
## says:   found     0x78 (120)
## says:   history   the last instructions:
## says:     0000:7C18  hlt
# guest: ../../guests/bin/askkey.elf
# keys: x
# ends: halt
# register al: 0x79

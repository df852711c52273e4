## fails: failed
## says:   expected  0x42 0x43
## says:   found     0x42
# guest: ../../guests/bin/portio.elf
# writes port 0x80: 0x42 0x43

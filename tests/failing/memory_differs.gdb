## fails: failed
## says: assert memory &sum: 09 00
## says:   found     00 00
# guest: ../../guests/bin/addloop.elf

break store_sum
continue
assert memory &sum: 09 00

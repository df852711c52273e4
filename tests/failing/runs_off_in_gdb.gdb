## fails: wrong ending
## says: it has run off the end of its program
# guest: ../../guests/bin/padding.elf
# ends: key

tbreak main
continue
assert $cs == 0

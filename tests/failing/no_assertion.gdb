## fails: no assertion
## says: nothing is asserted, so nothing is tested
# guest: ../../guests/bin/hello.elf

break print
continue

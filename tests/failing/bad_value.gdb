## fails: bad header
## says: bad_value.gdb:4: `sideways` is no ending
# guest: ../../guests/bin/hello.elf
# ends: sideways

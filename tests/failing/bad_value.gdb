## fails: bad header
## says: bad_value.gdb:4: `nowhere` is no ending
# guest: ../../guests/bin/hello.elf
# ends: nowhere

## fails: bad header
## says: key_behind_the_header.gdb:6: `screen contains` stands behind the header
# guest: ../../guests/bin/hello.elf
# ends: halt

# screen contains: Bye

## fails: gdb error
## says: unknown assertion `screen column 3`
# guest: ../../guests/bin/hello.elf

assert screen column 3: x

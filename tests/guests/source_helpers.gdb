# guest: ../../guests/bin/hello.elf

source tests/guests/helper.gdb
to print
assert $ah == 0x1e

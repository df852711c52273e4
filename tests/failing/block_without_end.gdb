## fails: gdb error
## says: block_without_end.gdb:6: `while 1` has no `end`
# guest: ../../guests/bin/hello.elf
# ends: halt

while 1
  stepi

## fails: not reached
## says: not_reached_after_quit.gdb:9: `assert 1` has not been executed
# guest: ../../guests/bin/hello.elf
# ends: halt

continue
quit

assert 1

## fails: gdb error
## says: breakpoint_at_nothing.gdb:6: `break nosuch`: Function "nosuch" not defined.
# guest: ../../guests/bin/hello.elf
# ends: halt

break nosuch

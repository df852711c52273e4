## fails: gdb error
## says: assignment.gdb:7: `assert $ax = 5`: an assertion changes nothing: `=` assigns, `==` compares
# guest: ../../guests/bin/hello.elf
# ends: halt

assert $ax == 0xaa55
assert $ax = 5

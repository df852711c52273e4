## fails: hang
## says: hang_in_gdb.gdb:7: the test is not over after 10 s
## says:     0000:7C20  jmp short 0x7c20
# guest: ../../guests/bin/addloop.elf
# timeout: 10s

continue
assert 1

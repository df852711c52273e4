## fails: wrong ending
## says: exit_in_gdb.gdb:5: the guest ended in another way
# guest: ../guests/exit.asm

continue
assert 1

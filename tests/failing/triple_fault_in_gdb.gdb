## fails: triple fault
## says: triple_fault_in_gdb.gdb:6: the processor shut down unexpectedly
# guest: ../../guests/bin/triple.elf

break never
continue
assert 1

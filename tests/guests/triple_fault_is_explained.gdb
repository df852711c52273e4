# guest: ../../guests/bin/triple.elf
# ends: triple-fault
# transcript: triple_fault_is_explained.out

continue
x/i $pc

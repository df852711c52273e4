## fails: hang
## says: the guest executes more instructions than it may
## says:   found     limit (0000:7C20: the limit of 5000 instructions is reached)
# guest: ../../guests/bin/addloop.elf
# limit: 5000 instructions
# ends: halt

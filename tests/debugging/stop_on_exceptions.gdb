# guest: ../../guests/bin/faults.elf
# stop-on: de,ud
# transcript: stop_on_exceptions.out
# errors: shown

# The divide error comes before the guest's handler runs, with the registers that it had.
continue
x/i $pc
info registers eax ebx edx sp
# Then the guest takes it: its handler's first instruction.
stepi
x/3hx $sp
continue
x/i $pc
# From now on exceptions are the guest's own business.
monitor stop-on none
continue
monitor screen

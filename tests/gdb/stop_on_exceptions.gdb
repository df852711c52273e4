# debug: --stop-on de,ud guests/bin/faults.elf
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
# debug: guests/bin/faults.elf
monitor stop-on
monitor stop-on de,nonsense
monitor stop-on ud
continue
# The invalid opcode is mended: it becomes two NOPs.
set {short}$pc = 0x9090
continue
monitor screen

# guest: ../../guests/bin/protected.elf
# transcript: step_into_protected_mode.out
# errors: shown

# gdb's own step across the switch: the far jump behind `mov cr0` is where the code gets 32 bits.
tbreak enter
continue
stepi
info registers ip cs mode
stepi
info registers eip cs mode
x/2i $pc
stepi
stepi

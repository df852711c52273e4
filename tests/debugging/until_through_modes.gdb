# guest: ../../guests/bin/modes.elf
# transcript: until_through_modes.out
# errors: shown

# `until` sets a breakpoint for the frame it is given in alone, which is still the same one behind a switch
# between code of 32 and of 64 bits.
tbreak in_32
continue
until in_64
info registers rip mode
until again_32
info registers eip mode
until again_real
info registers eip mode

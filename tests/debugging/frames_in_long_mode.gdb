# guest: ../../guests/bin/modes.elf
# transcript: frames_in_long_mode.out
# errors: shown

# 64-bit mode, without any frame description.
tbreak leaf
continue
bt
up
info registers rip rsp eax
finish
next

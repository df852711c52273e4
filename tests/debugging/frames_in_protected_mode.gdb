# guest: ../../guests/bin/calls.elf
# transcript: frames_in_protected_mode.out
# errors: shown

# Interrupts and calls in 32-bit protected mode.
tbreak trap
continue
bt
up
info registers eip esp eflags
down
stepi
bt
finish
bt
stack 4

# guest: ../../guests/bin/cs07c0.elf
# transcript: watch_with_a_condition.out
# errors: shown

# A condition, a breakpoint beside it, and what the far call pushes.
watch *(short*)0x7bfc if *(short*)0x7bfc == 0x34
break far_mark
ignore 2 2
continue
continue
info watchpoints

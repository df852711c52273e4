# guest: ../../guests/bin/modes.elf
# transcript: step_through_modes.out
# errors: shown

# gdb's own steps over each switch: by instruction, by source line (which is a step through a range of
# addresses), over a call, out of it, and with a breakpoint at the target.
tbreak to_16
continue
stepi
info registers eip mode
stepi
info registers eip mode
# A line that is one far jump, into 32-bit code.
tbreak 80
continue
step
info registers eip mode
step
# A line that is one far jump, with a breakpoint at its target.
tbreak to_long
continue
next
info registers eip mode
break in_64
next
info registers rip mode
# Over a call, into it and out of it.
tbreak 114
continue
next
info registers rip r8
tbreak leaf
run
delete
tbreak leaf
continue
info registers mode
finish
info registers rip mode
# Out of long mode.
next
stepi
info registers rip mode
tbreak from_long
continue
next
info registers eip mode
# Back to 16-bit code, and to real mode.
tbreak 135
continue
next
info registers eip mode
tbreak from_16
continue
stepi 2
info registers eip mode
next

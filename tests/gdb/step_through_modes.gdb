# debug: guests/bin/modes.elf
# gdb's own steps over each switch: by instruction, by source line (which is a step through a range of
# addresses), over a call, out of it, and with a breakpoint at the target.
tbreak to_16
continue
stepi
info registers eip mode
stepi
info registers eip mode
tbreak *in_32-7
continue
step
info registers eip mode
step
tbreak to_long
continue
next
info registers eip mode
break in_64
next
info registers rip mode
next 5
finish
next
up
tbreak leaf
run
continue
tbreak leaf
continue
continue
finish
info registers rip
next
next
next
tbreak *again_16-5
continue
stepi
info registers eip mode
tbreak from_16
continue
stepi 2
info registers eip mode
next
next

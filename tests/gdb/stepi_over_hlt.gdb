# debug: guests/bin/hello.elf
tbreak halt
continue
stepi
x/2i $pc
# HLT with interrupts off: the processor is behind it, and stays there.
stepi
x/i $pc
stepi
continue
info registers ip eflags
# Elsewhere it may go on.
set $pc = halt
stepi
x/i $pc
# With interrupts on it waits, until ^C.
set $eflags |= 0x200
stepi
continue
^C
x/i $pc
p $eflags

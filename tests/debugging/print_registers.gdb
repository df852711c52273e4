# guest: ../../guests/bin/cs07c0.elf
# transcript: print_registers.out
# errors: shown

# What the firmware left.
info registers
break far_mark
continue
info registers
p $ax
p/x $ah
p $al
p $sp
p $eflags
p $mode
p $cr0
p $efer
p $st0
p $xmm0
p/x $mxcsr
info registers float
# A stack whose segment is not zero.
set $ss = 0x7b0
set $esp = 0xfc
p $sp
x/4hx $sp
info registers ss ss_base esp

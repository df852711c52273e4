# guest: ../../guests/bin/int.elf
# transcript: stepi_through_interrupts.out
# errors: shown

break first_int
continue
display/i $pc
# INT enters the handler: FLAGS, CS and IP are on the stack, the flags without a trace of the debugger.
p $eflags
stepi
info registers cs ip sp
x/3hx $sp
stepi
tbreak *0x7c99
continue
# And IRET leaves it.
x/3hx $sp
stepi
info registers cs ip sp
p $eflags
# A flags register full of bits survives the handler.
tbreak *0x7c57
continue
stepi
p $eflags
stepi
stepi
x/3hx $sp
p $eflags
tbreak flags_back
continue
p $eflags
# PUSHF pushes no trap flag.
stepi
x/hx $sp

# guest: ../../guests/bin/faults.elf
# transcript: faults_enter_their_handlers.out
# errors: shown

break divide
continue
display/i $pc
stepi
x/3hx $sp
info registers cs ip sp
tbreak *0x7c5b
continue
stepi
# The invalid opcode is next.
stepi
x/3hx $sp
tbreak after_invalid
continue
monitor screen

# debug: guests/bin/hello.bin --symbols guests/bin/hello.elf
x/2i $pc
break hello.asm:51
continue
stepi
stepi
info registers ax cs ip
p $sp
x/2hx $sp
tbreak print
continue
step
next
list
delete
continue

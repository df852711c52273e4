# gdb without a program: the server has it, symbols, source lines and code width included.
# serve: guests/bin/cs07c0.bin --symbols guests/bin/cs07c0.elf
# client:
info symbol $pc
break show_cs
continue
x/2i $pc
list show_cs
detach
# wait: halted for ever
# client: -s guests/bin/cs07c0.elf
info registers eip

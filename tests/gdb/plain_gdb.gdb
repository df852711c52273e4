# gdb with the program as its argument, as for any other target: 16-bit code is decoded as such whatever the
# class of the ELF, and the breakpoints in the other modes hold.
# serve: guests/bin/protected.elf
# client: guests/bin/protected.elf
x/3i $pc
info registers eip cs mode
break protected_entry
continue
x/2i $pc
detach
# wait: halted for ever
# client: guests/bin/protected.elf
info registers eip mode

# serve: guests/bin/long.elf
# client: guests/bin/long.elf
x/3i $pc
info registers eip cs mode
break long_entry
continue
info registers rip mode r8
next
# wait: a debugger may attach and look

# serve: guests/bin/long.elf
# client:
x/2i $pc
tbreak long_entry
continue
x/2i $pc
detach
# wait: halted for ever
# client:
info registers mode
x/i $pc

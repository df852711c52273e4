# serve: guests/bin/long.elf
# extended: guests/bin/long.elf
break long_entry
run
run
info registers rip mode
kill
start
info registers eip
kill
# extended: guests/bin/long.elf
info registers eip
tbreak main
continue
detach
# wait: halted for ever
# client: guests/bin/long.elf
info registers mode
kill

# `run` and `start` boot the guest again; `kill` ends it, and the server waits.
# debug: guests/bin/modes.elf
tbreak in_64
continue
run
start
info registers eip mode
kill
info registers eip
starti
x/i $pc
tbreak in_32
continue
kill

# serve: guests/bin/hello.elf
# client: -s guests/bin/hello.elf
tbreak print
continue
shell gdb -nx -batch -ex "target remote $SOCKET" -ex "info registers eip" 2>&1
# The first one is not disturbed.
tbreak halt
continue
monitor screen
kill

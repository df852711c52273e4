# gdb: -s guests/bin/hello.elf
target remote | stepvisor gdbserver --stdio guests/bin/hello.elf
tbreak print
continue
info registers eip
tbreak halt
continue
monitor screen
kill
# gdb: -s guests/bin/hello.elf
target remote | stepvisor gdbserver --stdio guests/bin/hello.elf
detach
# gdb: -s guests/bin/addloop.elf
target remote | stepvisor gdbserver --stdio guests/bin/addloop.elf
tbreak forever
continue
continue
^C
p {short[3]}&a
# gdb:
# The way to leave: the pipe ends, and the server with it.
target remote | stepvisor gdbserver --stdio --demo
disconnect

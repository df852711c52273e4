# serve: guests/bin/hello.elf
# client: -s guests/bin/hello.elf
tbreak print
continue
# By python, because gdb 16 flushes its own output only after that of a shell.
python import os
python print(os.popen('gdb -nx -batch -ex "target remote $SOCKET" -ex "info registers eip" 2>&1').read(), end="")
# The first one is not disturbed.
tbreak halt
continue
monitor screen
kill

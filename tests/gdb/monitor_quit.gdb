# serve: guests/bin/hello.elf
# client: -s guests/bin/hello.elf
tbreak halt
continue
monitor quit
info registers eip

# serve: guests/bin/hello.elf
# client: -s guests/bin/hello.elf
kill
info registers eip

# A server that has no symbols takes none away.
# serve: guests/bin/hello.bin
# client: -s guests/bin/hello.elf
tbreak print
continue
x/2i $pc
# wait: a debugger may attach and look

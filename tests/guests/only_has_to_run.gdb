# guest: ../../guests/bin/hello.elf
# assertions: none

break print
continue
info registers

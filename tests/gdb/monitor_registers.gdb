# debug: guests/bin/cs07c0.elf
tbreak far_mark
continue
monitor registers
monitor info registers

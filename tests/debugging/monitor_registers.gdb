# guest: ../../guests/bin/cs07c0.elf
# transcript: monitor_registers.out
# errors: shown

tbreak far_mark
continue
monitor registers
monitor info registers

# guest: bios_a20.asm
# ends: halt
# register cl: 1
# register ch: 3
# register dl: 2
# register ah: 0

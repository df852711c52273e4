# guest: mark.asm
# break-on: xchg
# ends: mark
# register ax: 0x1234

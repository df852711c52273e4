## fails: failed
## says:   expected  0x8 (8)
## says:   found     0x9 (9)
## says:   at        0000:7C20  jmp short 0x7c20  (guests/addloop.asm:41)
# guest: ../../guests/bin/addloop.elf
# limit: 100
# ends: limit
# register cx: 8

# guest: ../../guests/bin/addloop.elf
# transcript: breakpoints_in_the_source.out
# errors: shown

# A breakpoint of the author's own: xchg bx, bx, then INT3.
set {short}$pc = 0xdb87
set {char}($pc + 2) = 0xcc
monitor break-on int3,xchg
stepi
continue
info registers eip

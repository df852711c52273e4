# guest: ../../guests/bin/int.elf
# transcript: step_and_next.out
# errors: shown

# Source lines, one at a time; the first line of `main` is behind a far jump.
step
next
next 3
info registers ds ss sp
info line
step 3
x/2hx 0x21*4
tbreak int.asm:121
continue
p/x $di
next
p/x $di
x/2hx 0xb8000
list

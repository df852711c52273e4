# debug: guests/bin/modes.elf
# The guest is left running in real mode and found in another. `jmp $` at the entry of each.
set $in_32 = *(short *)&in_32
set *(short *)&in_32 = 0xfeeb
continue
^C
info registers eip mode
x/i $pc
set *(short *)&in_32 = $in_32
set $in_64 = *(short *)&in_64
set *(short *)&in_64 = 0xfeeb
continue
^C
info registers rip mode
set *(short *)&in_64 = $in_64
tbreak halt
continue

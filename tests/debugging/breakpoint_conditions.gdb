# guest: ../../guests/bin/cs07c0.elf
# transcript: breakpoint_conditions.out
# errors: shown

break near_mark if $al == 0x5d
continue
p/c $al
condition 1 $cx == 2 && $al == '*'
continue
p $cx
condition 1
continue
disable 1
tbreak show_cs
continue
enable once 1
continue
info breakpoints
hbreak halt
continue
info breakpoints

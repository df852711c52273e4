# guest: ../../guests/bin/cs07c0.elf
# transcript: breakpoint_commands.out
# errors: shown

# An ignore count, commands that continue by themselves, and the count of hits.
break near_mark
ignore 1 9
commands 1
silent
printf "hit with cx = %d, al = '%c'\n", $cx, $al
continue
end
tbreak halt
continue
info breakpoints

# guest: ../../guests/bin/modes.elf
# transcript: there_and_back_through_modes.out
# errors: shown

# One session through all modes and back: nothing is typed at the switches. Kinds of breakpoints, a
# condition, commands and displays that were set in real mode are in force in all of them.
break to_16
break in_16
hbreak in_32
tbreak in_64
break leaf if $r8 == 0x123456789abcdef0
commands
silent
printf "leaf: r8 = %lx\n", $r8
continue
end
break compatible
break again_32
hbreak again_16
tbreak again_real
break halt
display/i $pc
display $mode
continue
info registers eip cs
continue
info registers eip cs
continue
info registers eip cs
continue
info registers rip cs rsp
continue
info registers eip cs
continue
info registers eip cs
continue
info registers eip cs
continue
info registers eip ip cs sp
continue
info breakpoints
monitor screen

# guest: ../../guests/bin/cs07c0.elf
# transcript: eight_breakpoints.out
# errors: shown

# Twice as many as a processor has debug registers.
break *0x7c05
break *0x7c1b
break again
break next_char
break show_cs
break next_digit
break far_mark
hbreak halt
continue
continue
continue
continue
continue
continue
delete 3 4
continue
continue
delete 6
continue
info breakpoints

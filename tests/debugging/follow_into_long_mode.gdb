# guest: ../../guests/bin/long.elf
# transcript: follow_into_long_mode.out
# errors: shown

# From real mode through protected into long mode in one session: nothing is typed at the switches, and
# breakpoints, a condition, a display and the registers are those of the mode at each stop.
break activate
break protected_entry
break long_entry if $rax == 0x80000011
display/i $pc
info registers eip cs mode
continue
info registers eip cs mode
stepi
continue
continue
info registers rip cs mode rax r8
stepi
delete
undisplay 1
continue

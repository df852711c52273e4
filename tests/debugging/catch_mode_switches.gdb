## A stop at each switch of the mode, with its line, whether gdb runs or steps.
# guest: ../../guests/bin/modes.elf
# transcript: catch_mode_switches.out
# errors: shown

monitor stop-at mode
display $mode
continue
continue
delete
tbreak to_long
continue
stepi
stepi
stepi
# Off a breakpoint on the instruction that switches.
monitor stop-at delete all
break from_16
continue
monitor stop-at mode
continue
monitor stop-at
monitor plan

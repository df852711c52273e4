## Conditions on the address of a label in code, which gdb compiles wrongly for a server.
# guest: ../../guests/bin/ticks.elf
# transcript: conditions_on_labels.out
# errors: shown

# As it is right: the server evaluates it.
break tick if {short}&ticks == 2
continue
p {short}&ticks
condition 1 $eip == tick && {short}&ticks == 4
continue
p {short}&ticks
info breakpoints
delete
# As gdb compiles it wrongly: the script has gdb evaluate it, and says so once.
break tick if *(short *)&ticks == 6
continue
p *(short *)&ticks
info breakpoints
condition 2 *(short *)(&'ticks') == 8
continue
p *(short *)&ticks
# A condition that is changed is looked at as well.
set breakpoint condition-evaluation auto
condition 2 $eip == &tick && {short}&ticks == 9
continue
p {short}&ticks
kill

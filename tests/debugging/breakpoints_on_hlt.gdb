# guest: ../../guests/bin/ticks.elf
# transcript: breakpoints_on_hlt.out

# On HLT, and behind it, where the timer's handler returns to.
set $hlt = (int)&wait_tick + 9
break *$hlt
continue
x/2i $pc
continue
p {short}&ticks
delete

# Behind: the wait goes on, the handler runs, and returns.
break *$hlt + 1
continue
p {short}&ticks
continue
p {short}&ticks

# Both. The second is hit when HLT has been executed, and when the handler has returned.
break *$hlt
continue
p {short}&ticks
continue
p {short}&ticks
continue
p {short}&ticks
continue
p {short}&ticks
delete

# Conditions on them.
break *$hlt if {short}&ticks == 6
continue
p {short}&ticks

delete
break *$hlt + 1 if {short}&ticks == 8
continue
p {short}&ticks
delete

# A program's steps.
break wait_tick
continue
next 4
next

# A step behind it does not wait.
stepi
stepi
x/i $pc

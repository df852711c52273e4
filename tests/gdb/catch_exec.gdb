# A stop at each switch, in full runs and in steps, with no breakpoint of the user's there.
# debug: guests/bin/modes.elf --mode-events eager
catch exec
display $mode
display/i $pc
continue
continue
delete
tbreak to_long
continue
stepi
stepi
stepi
tbreak from_16
continue
next
undisplay 1
undisplay 2
# Lazily there is one switch, at the next stop.
monitor mode-events lazy
catch exec
tbreak in_64
run
continue
monitor mode-events
monitor mode-events sometimes

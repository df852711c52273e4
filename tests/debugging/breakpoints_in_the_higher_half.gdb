## What is set in real mode on addresses above 4 GiB, of which gdb sends one half, is hit in long mode.
# guest: ../../guests/bin/higherhalf.elf
# transcript: breakpoints_in_the_higher_half.out
# errors: shown

break kernel
continue
run
delete
starti
tbreak alone if $ecx == 0
tbreak alone if $edi != 0
continue
# Watchpoints, and a condition that is false.
starti
break print if $ecx == 1
watch {char}&visits
continue
delete
starti
advance alone
monitor walk $pc

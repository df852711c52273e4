## Conditions that the server evaluates, those that gdb keeps, and prints without a stop.
# guest: ../../guests/bin/cs07c0.elf
# transcript: conditions_in_the_server.out
# errors: shown

set $hits = 0
break near_mark if $hits++ == 1
continue
p $hits
p/c $al
delete
break near_mark
ignore 2 1
continue
p/c $al
delete
break next_digit if $ecx == 3 && *(char *)0x7c00 != 0
continue
p $cx
info breakpoints
condition 3 $cx == 1
continue
info breakpoints
delete
set dprintf-style agent
dprintf next_digit,"cx=%d dx=%#06x from %s\n",$ecx,$edx,0x7c7a
dprintf near_mark,"%c"
break halt if $eip == 0x7c64
run
# A condition that fails stops the guest, with the reason.

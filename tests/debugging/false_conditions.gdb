# guest: false_conditions.asm
# transcript: false_conditions.out

# The timer's interrupt comes.
break await if $ecx == 0x1234
tbreak waited
continue

# Each iteration counts.
break repeat if ($ecx & 0xffff) == 3
continue
p $ecx & 0xffff

# Neither what the guest has done nor what it is about to do is hidden.
break behind if $eax == 99
break wrong if $eax == 99
monitor stop-at out 0x80
continue
monitor stop-on ud
continue
x/i $pc
continue

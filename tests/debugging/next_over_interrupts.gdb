# guest: ../../guests/bin/int.elf
# transcript: next_over_interrupts.out
# errors: shown

# Over an interrupt that calls nothing, and a loop of them.
break first_int
continue
next
nexti
tbreak print
continue
until
next
next
next
finish

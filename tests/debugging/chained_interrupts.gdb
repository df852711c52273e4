# guest: chained_interrupts.asm
# transcript: chained_interrupts.out
# keys: xy

# Below each handler is what it interrupted: the HLT. A handler that another one called is above that one.
tbreak timer
continue
bt
next
bt
next
bt
next
bt
finish
tbreak second_timer
continue
bt
next
bt
next
bt
finish
tbreak keyboard
continue
bt
next
next
next
bt
next
bt
finish
tbreak second_keyboard
continue
bt
next
bt
finish
bt
finish

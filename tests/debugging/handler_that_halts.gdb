# guest: handler_that_halts.asm
# transcript: handler_that_halts.out
# ends: halt

# Nothing here returns: the vector says that it is a handler.
break on_divide_error
continue
bt
next
bt
tbreak panic
continue
bt
next
bt
continue

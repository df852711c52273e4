# guest: ../../guests/bin/faults.elf
# transcript: frames_of_exceptions.out
# errors: shown

# Exceptions: the return address is that of the instruction at fault.
tbreak on_divide_error
continue
bt
tbreak on_invalid_opcode
continue
bt
up
x/i $pc

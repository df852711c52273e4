# guest: ../../guests/bin/calls.bin
# transcript: frames_without_symbols.out
# errors: shown

# A frame without a symbol is ??, as gdb itself calls it.
stepi
bt

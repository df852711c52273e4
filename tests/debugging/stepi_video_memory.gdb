# guest: ../../guests/bin/scroll.elf
# transcript: stepi_video_memory.out
# errors: shown

tbreak *0x7c1d
continue
display/i $pc
# Each step is one iteration of REP STOSW.
p $cx
stepi
p $cx
p/x $di
x/2hx 0xb8000
monitor screen
# The line is the whole instruction.
next
p $cx
p/x $di
x/4hx 0xb80a0-4
monitor screen
tbreak *0x7c3a
continue
# REP MOVSW within video memory.
info registers cx si di
stepi
info registers cx si di
x/2hx 0xb8000
next
info registers cx si di
x/2hx 0xb8000
tbreak dword_access
continue
# A dword store, load, and store.
stepi
x/2hx 0xb8dc0
stepi
p/x $eax
stepi
x/6hx 0xb8dc0
# Across the border of two cells.
stepi
x/6bx 0xb8e60

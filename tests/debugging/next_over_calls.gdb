# guest: ../../guests/bin/calls.elf
# transcript: next_over_calls.out
# errors: shown

# `next` over near and far calls and those by a pointer, `until`, `advance`; `nexti` over an interrupt.
break main
run
tbreak nearby
continue
next
next
next
next
next
next
next
next
step
next
next
next
next
next
until
next
next
next
next
next
delete
tbreak distant
run
next
next
nexti
advance to_32
# In 32-bit code: a software interrupt, a routine with a frame pointer.
tbreak with_frame_32
continue
bt
next
next
next
next
next
next
next
next
next

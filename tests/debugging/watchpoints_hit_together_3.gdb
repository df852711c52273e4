# guest: ../../guests/bin/hello.elf
# transcript: watchpoints_hit_together_3.out
# errors: shown

# The second is of no interest if the guest is sent elsewhere.
watch *(char*)0xb8000
watch *(char*)0xb8001
continue
jump halt

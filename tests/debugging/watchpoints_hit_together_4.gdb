# guest: ../../guests/bin/long.elf
# transcript: watchpoints_hit_together_4.out
# errors: shown

# Hit in a mode that gdb is told of first; the old values are those before it.
watch *(char*)0xb80a0
watch *(char*)0xb80a1
continue
continue
info registers mode
delete
watch *(char*)0xb8140
watch *(char*)0xb8141
continue
continue
info registers mode

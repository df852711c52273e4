# guest: ../../guests/bin/long.elf
# transcript: descriptors_in_long_mode.out
# errors: shown

tbreak halt
continue
gdt

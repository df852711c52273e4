# guest: ../../guests/bin/modes.elf
# transcript: watch_and_advance_through_modes.out
# errors: shown

# Watchpoints and `advance` over switches. The watched word is the entry of the page tables, which 32-bit code
# writes and which the processor itself marks as used and written in long mode: each is the first stop in its
# mode.
watch *(unsigned *)0x3000
continue
continue
info registers rip mode
delete
awatch *(unsigned *)0xb80a0
advance compatible
continue
info registers eip mode
delete
advance again_real
info registers eip mode
monitor screen

# debug: guests/bin/modes.elf
# Watchpoints and `advance` over switches. The watched word is the entry of the page tables that 32-bit code
# writes; then one on the screen, which every mode writes.
watch *(unsigned *)0x3000
continue
continue
delete
advance in_64
info registers rip mode
awatch *(unsigned *)0xb80a0
advance again_16
continue
info registers mode
delete
advance again_real
info registers eip mode
tbreak halt
continue
x/4hx 0xb80a0

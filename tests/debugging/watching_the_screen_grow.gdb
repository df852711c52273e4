# guest: ../../guests/bin/banner.bin
# load: 0
# entry: 0:0
# symbols: ../../guests/bin/banner.elf
# transcript: watching_the_screen_grow.out
# errors: shown

break next_row
display/x $ah
continue
monitor screen
continue
monitor screen
x/4hx 0xb8000
delete
continue
monitor screen

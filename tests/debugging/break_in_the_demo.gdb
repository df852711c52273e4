# guest: ../../guests/bin/demo.elf
# transcript: break_in_the_demo.out
# errors: shown

break halt
continue
monitor screen

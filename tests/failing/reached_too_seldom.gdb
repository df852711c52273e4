## fails: failed
## says: reached_too_seldom.gdb:6: assert reached next_row: 7
## says:   found     6 times
# guest: ../../guests/bin/banner.elf
# ends: halt
assert reached next_row: 7

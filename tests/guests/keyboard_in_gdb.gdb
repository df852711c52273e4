# guest: ../../guests/bin/keyboard.elf
# keys: a{Esc}
# ends: halt
# screen row 0: a

tbreak got
continue
assert $al == 0x1e

# guest: ../../guests/bin/long.elf
# ends: halt

assert $mode == 0
break long_entry
continue
assert $cs == 0x18
assert reached print64
stepi

# guest: ../../guests/bin/cs07c0.elf

break show_cs
continue
assert $cs == 0x7c0
assert $pc == &show_cs
assert $ip == 0x4b
assert hits 1: 1
assert register ip: 0x4b

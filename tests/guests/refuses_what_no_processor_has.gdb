# guest: ../../guests/bin/cs07c0.elf

tbreak main
continue
fails set $cr0 = 0x80000000
fails set $cs = 0x12345
fails info line nowhere
assert $cs == 0x7c0

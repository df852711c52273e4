# guest: ../../guests/bin/int.elf

break first_int
continue
set $flags_before = $eflags
stepi
assert $cs == 0
assert *(unsigned short *)($sp + 2) == 0
assert *(unsigned short *)($sp + 4) == ($flags_before & 0xffff)
assert screen row 0: INT 21h:

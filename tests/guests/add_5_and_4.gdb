# guest: ../../guests/bin/addloop.elf

break store_sum
continue
assert $cx == $ax + $bx
assert *(short *)&a == 5
assert *(short *)&sum == 0
next
assert memory &sum: 09 00
assert register cx: 9

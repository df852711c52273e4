# guest: ../../guests/bin/addloop.elf

watch *(short *)&sum
continue
assert memory &sum: 09 00
assert hits 1: 1

## fails: failed
## says: narrow_register_is_false.gdb:8: assert $ax == 0xaa54
## says: expected  $ax == 43604 (0xaa54)
## says: found     $ax is 43605 (0xaa55)
# guest: ../../guests/bin/hello.elf
# ends: halt

assert $ax == 0xaa54

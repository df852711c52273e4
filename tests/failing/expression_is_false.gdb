## fails: failed
## says: expression_is_false.gdb:11: assert $cx == 8
## says:   expected  $cx == 8 (0x8)
## says:   found     $cx is 9 (0x9)
## says:   at        0000:7C1C  mov [0x7c26], cx  (guests/addloop.asm:38)
## says:     0000:7C1A  add cx, bx
# guest: ../../guests/bin/addloop.elf

break store_sum
continue
assert $cx == 8

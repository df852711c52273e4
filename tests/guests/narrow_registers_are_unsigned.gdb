# guest: ../../guests/bin/hello.elf
# ends: halt

assert $ax == 0xaa55
assert $al != -1 && $ah == 0xaa && $dl >= 0x80
set $si = 0xfff0
assert $si > 0x7c00
set {char [4]} 0xfff0 = "end"
assert string $si: end
assert memory $si + 1: 6e 64
break print if $ah == 0x1e
commands
  silent
  assert $_streq("a = b", "a = b")
end
continue

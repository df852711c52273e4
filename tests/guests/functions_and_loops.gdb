# guest: ../../guests/bin/banner.elf
# ends: halt

break next_row
set $row = 0
while $row < 3
  continue
  set $row = $row + 1
end
assert hits 1: 3
maybe assert 1
python
import gdb
gdb.execute("set $letters = 5")
end
assert $letters == 5
delete

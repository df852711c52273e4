# guest: ../../guests/bin/banner.elf
# ends: halt

set $rows = 0
break next_row
commands
  silent
  set $rows = $rows + 1
  assert $ah == 8 + $rows
  if $rows == 1
    assert screen row 1: ""
  else
    maybe assert $rows <= 6
  end
  continue
end
continue
assert $rows == 6

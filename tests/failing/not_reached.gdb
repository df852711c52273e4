## fails: not reached
## says: not_reached.gdb:11: `assert $ax == 5` has not been executed
# guest: ../../guests/bin/hello.elf
# ends: halt

break print
if 0
  print 1
else
  if 0
    assert $ax == 5
  end
end

## fails: no assertion
## says: nothing is asserted, so nothing is tested
# guest: ../../guests/bin/hello.elf

if 0
  maybe assert $ax == 5
end

## fails: gdb crashed
## says: gdb ended before the script was over, with exit code 3
# guest: ../../guests/bin/hello.elf

if 1
  quit 3
end
assert 1

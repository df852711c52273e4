## fails: failed
## says: assertion_in_commands.gdb:12: assert $ah == 9
## says:   found     $ah is 10 (0xa)
# guest: ../../guests/bin/banner.elf
# ends: halt

break next_row
commands
  silent
  # The second time it is 0Ah.
  if 1
    assert $ah == 9
  end
  continue
end
continue

## fails: gdb error
## says: gdb_error_in_commands.gdb:8: `set $nosuch->x = 1`
# guest: ../../guests/bin/hello.elf
# ends: halt

break print
commands
  set $nosuch->x = 1
end
continue

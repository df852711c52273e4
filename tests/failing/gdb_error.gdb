## fails: gdb error
## says: gdb_error.gdb:7: `print nosuch`: No symbol "nosuch" in current context.
# guest: ../../guests/bin/hello.elf
# ends: halt

break print
print nosuch
continue

## fails: gdb error
## says: unknown_command.gdb:5: `asert 1`: Undefined command: "asert".
# guest: ../../guests/bin/hello.elf

asert 1

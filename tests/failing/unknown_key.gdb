## fails: bad header
## says: unknown_key.gdb:4: unknown key `screen contain`: did you mean `screen contains`?
# guest: ../../guests/bin/hello.elf
# screen contain: Hello

## fails: bad header
## says: unknown_key_to_type.gdb:4: character 2: no key is called `Entr`
# guest: ../../guests/bin/keyboard.elf
# keys: {Entr}
# ends: halt

## fails: failed
## says:   found     "Hello from a boot sector!"
# guest: ../../guests/bin/hello.elf

break print
continue
assert string $si: Goodbye

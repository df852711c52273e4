# guest: ../../guests/hello.asm
# ends: halt

assert reached print: at least 2
assert reached print.end: at least 2
tbreak print
continue
assert string $si: Hello from a boot sector!
assert $ah == 0x1e
assert screen: ""

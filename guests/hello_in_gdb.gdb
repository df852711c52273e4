# guest: hello.asm
# ends: halt
# screen row 1: Loaded at 7C00, running in real mode.

assert reached print.end: 2
tbreak print
continue
assert $sp == 0x7c00 - 2
assert string $si: Hello from a boot sector!
assert screen: ""

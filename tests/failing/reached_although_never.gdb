## fails: failed
## says:   expected  never
## says:   found     once
# guest: ../../guests/bin/hello.elf
# ends: halt

assert never reached halt

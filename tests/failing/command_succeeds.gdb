## fails: failed
## says: fails set $ax = 5
## says:   expected  an error of gdb's
# guest: ../../guests/bin/hello.elf

fails set $ax = 5

## fails: failed
## says:   expected  <= 99
## says: 0000:7C2B  hlt
# guest: ../../guests/bin/hello.elf
# instructions: < 100

## fails: no assertion
# guest: ../../guests/bin/hello.elf

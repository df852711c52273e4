# guest: ../../guests/bin/hello.elf
# ends: halt
# instructions: 100..500

## fails: hang
## says: the guest still runs after 200 ms
## says: it jumps to itself, for ever: is that its end?
## says: it goes on with:
## says:     0000:7C20  jmp short 0x7c20
# guest: ../../guests/bin/addloop.elf
# timeout: 200ms
# ends: halt

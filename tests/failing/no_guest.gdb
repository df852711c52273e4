## fails: build error
## says: no_such_guest.bin: No such file or directory
# guest: no_such_guest.bin
# ends: halt

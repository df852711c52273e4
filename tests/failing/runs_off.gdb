## fails: hang
## says: it has run off the end of its program
# guest: runs_off.asm
# ends: halt
# timeout: 1s

## fails: wrong ending
## says: A000:0000: the guest has jumped, or run on, to 0xa0000
# guest: nowhere.asm
# ends: halt

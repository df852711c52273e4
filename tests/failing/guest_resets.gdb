## fails: wrong ending
## says:   found     reset (0000:7C02: the guest resets the machine
# guest: reset.asm
# ends: halt

## fails: wrong ending
## says:   expected  halt
## says:   found     exit 0x2a
# guest: ../guests/exit.asm
# ends: halt

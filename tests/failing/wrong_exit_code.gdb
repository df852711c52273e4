## fails: wrong ending
## says:   expected  exit 0x2b
## says:   found     exit 0x2a
# guest: ../guests/exit.asm
# ends: exit 43

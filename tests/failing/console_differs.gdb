## fails: failed
## says:   found     "bye\n"
# guest: ../guests/exit.asm
# ends: exit 0x2a
# console: "hello\n"

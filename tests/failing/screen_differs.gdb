## fails: failed
## says: screen_differs.gdb:5: screen row 1: Loaded at 7C01, running in real mode.
## says:   found     "Loaded at 7C00, running in real mode."
# guest: ../../guests/bin/hello.elf
# screen row 1: Loaded at 7C01, running in real mode.

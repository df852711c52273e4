## fails: build error
## says: tests/failing/build_error.asm:3: error: 
# guest: build_error.asm
# ends: halt

## fails: refused instruction
## says: this host cannot run an instruction of the guest's
# guest: refused.asm
# ends: halt

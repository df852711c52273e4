## fails: triple fault
## says: the processor shut down unexpectedly
## says: raised #UD, invalid opcode
## says:   at        0008:00007C51  ud2  (guests/triple.asm:70)
# guest: ../../guests/bin/triple.elf
# screen contains: About

# guest: sti.asm
# ends: wait

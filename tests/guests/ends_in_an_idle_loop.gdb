# guest: idle_loop.asm
# ends: wait
# screen: A

# guest: ../failing/reset.asm
# ends: reset

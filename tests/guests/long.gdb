# guest: ../../guests/long.asm
# ends: halt
# screen row 2: Long mode: 64-bit code, 2 MiB pages.

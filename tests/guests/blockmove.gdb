# guest: ../../guests/bin/blockmove.elf
# ends: halt
# screen file: ../screens/blockmove.txt
# string 0x100000: This has been at 1 MiB and is back.

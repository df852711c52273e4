# guest: ../../guests/bin/higherhalf.elf
# ends: halt
# screen row 0: A kernel in the higher half.

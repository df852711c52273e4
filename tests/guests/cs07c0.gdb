# guest: ../../guests/bin/cs07c0.bin
# ends: halt
# screen row 0: 1[2][3][4]***** CS=07C0
# register cs: 0x7c0

# guest: ../../guests/bin/midnight.elf
# ends: halt
# screen row 0: 01000000
# memory 0x470: 00

# guest: ../../guests/bin/partition.bin
# symbols: ../../guests/bin/partition.elf
# ends: halt
# screen file: ../screens/partition.txt

## The firmware puts the partition's boot sector where the master boot record was: a watchpoint there stops in its service.
tbreak *0x61c
continue
watch *(unsigned short *) 0x7c00
continue
assert $cs == 0xf000 && $pc == 0xfe400
delete
tbreak *0x7c00
continue
assert $dl == 0x80
assert *(unsigned char *) ($ds * 16 + $si) == 0x80

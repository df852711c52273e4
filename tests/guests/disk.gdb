# guest: ../../guests/bin/disk.bin
# symbols: ../../guests/bin/disk.elf
# drive: 0
# ends: halt
# screen file: ../screens/disk.txt

break-int 0x13 ah=2
continue
assert $es == 0 && $ebx == (unsigned) &second
nexti
assert ($eflags & 1) == 0
assert string 0x7e00: "This is the second sector,\r\n"

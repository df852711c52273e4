# guest: ../../guests/bin/fat12.bin
# symbols: ../../guests/bin/fat12.elf
# drive: 0
# ends: halt
# screen file: ../screens/fat12.txt

break load
continue
assert string $di: "KERNEL  BIN "
## The file, at 1000:0000, with its second cluster behind the first.
tbreak *0x10000
continue
assert $cs == 0x1000 && $dl == 0
assert string 0x10400: the chain was right.

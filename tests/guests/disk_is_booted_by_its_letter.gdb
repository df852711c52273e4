# hda: ../../guests/bin/lba.bin
# fda: ../../guests/bin/disk.bin
# boot: c
# ends: halt
# register dl: 0x80
# screen row 2: Sector 1, by its number.

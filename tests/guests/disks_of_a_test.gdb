# fda: ../../guests/bin/geometry.bin
# fdb: ../../guests/bin/fat12.bin
# hda: ../../guests/bin/partition.bin
# hdb: ../../guests/bin/lba.bin
# ends: halt
# transcript: disks_of_a_test.out

continue
monitor disk

# guest: ../../guests/bin/disk.bin
# drive: 0
# ends: halt
# transcript: disk_is_shown.out

continue
monitor disk

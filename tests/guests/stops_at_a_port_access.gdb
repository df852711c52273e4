# guest: ../../guests/bin/portio.elf
# stop-at: out 0x80
# ends: caught
# writes port 0x80: 0x42
# console: ""

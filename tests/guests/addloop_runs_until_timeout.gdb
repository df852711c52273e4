# guest: ../../guests/bin/addloop.elf
# timeout: 100ms
# ends: timeout
# register cx: 9

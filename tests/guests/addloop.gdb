## It loops for ever, so it is ended after a number of instructions; no clock decides.
# guest: ../../guests/bin/addloop.elf
# limit: 1000
# ends: limit
# instructions: 1000
# register cx: 9

# guest: ../../guests/bin/faults.elf
# stop-on: de
# ends: exception
# register ip: 0x7c2e
# screen: ""

# guest: ../../guests/bin/portio.elf
# on-unclaimed: stop
# ends: unclaimed
# console contains: Port

# guest: ../../guests/bin/portio.elf
# ends: halt
# screen file: ../screens/portio.txt
# console file: portio.console
# writes port 0x80: 0x42

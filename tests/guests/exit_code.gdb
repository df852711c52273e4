# guest: exit.asm
# ends: exit 0x2a
# console: "bye\n"
# writes port 0xf4: 0x2a

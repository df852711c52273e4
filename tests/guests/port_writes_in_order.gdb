# guest: ../../guests/bin/portio.elf

tbreak write_bytes
continue
assert writes port 0x80: 0x42
assert console: ""
tbreak read_ports
continue
assert console contains: rep outsb
assert writes port 0xe9 contains: 0xa

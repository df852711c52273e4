## fails: failed
## says: serial: Hello
# guest: ../../guests/bin/serial.elf
# serial: Hello

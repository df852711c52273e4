# guest: serial_in.asm
# serial-in: "hello.and nothing of this"
# serial: HELLO

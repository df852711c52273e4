# debug: guests/bin/hello.bin --gdb /nonexistent/gdb
# debug: guests/bin/no-such-image
# debug: guests/bin/hello.bin --symbols guests/hello.asm
# debug: guests/bin/hello.bin --gdb false

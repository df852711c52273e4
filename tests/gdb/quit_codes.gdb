# debug: guests/bin/hello.bin
quit 3
# debug: guests/bin/hello.bin
kill
quit
# debug: guests/bin/hello.bin
detach
quit 1

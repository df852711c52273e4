# debug: guests/bin/hello.bin
# mov al, 3; out 0xf4, al
set {char[4]}$pc = {0xb0, 0x03, 0xe6, 0xf4}
x/2i $pc
stepi
continue
info registers eip
# serve: guests/bin/hello.bin
# client:
set {char[4]}$pc = {0xb0, 0x2a, 0xe6, 0xf4}
continue

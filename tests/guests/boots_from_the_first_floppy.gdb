# guest: ../../guests/bin/hello.bin
# drive: 0
# load: 0x7c00
# entry: 07c0:0000
# memory: 1M
# ends: halt
# register dl: 0
# screen file: ../screens/hello.txt

# guest: ../../guests/bin/hello.elf
# ends: halt
# screen file: ../screens/hello.txt

tbreak halt
continue
assert screen contains: Hello
starti
assert screen: ""
assert $pc == &start

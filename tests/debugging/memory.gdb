# guest: ../../guests/bin/hello.elf
# memory: 1M
# transcript: memory.out
# errors: shown

tbreak halt
continue
# RAM: the sector's signature, a text, the stack.
x/hx 0x7dfe
x/s greeting
x/4bc &place
p {char[5]}0x7c37
set {char[5]}0x7c37 = {'H','O','W','D','Y'}
x/s greeting
set {int}0x500 = 0x11223344
x/4bx 0x500
set {short}0x501 = 0xaabb
x/wx 0x500
# Over a page border.
set {long long}0xffc = 0x8877665544332211
x/8bx 0xffc
x/2wx 0xffe
# Video memory, by bytes, words, and over its border with what is below.
x/4hx 0xb8000
set {short}0xb8000 = 0x4e4a
x/4hx 0xb7ffe+2
monitor screen
x/2bx 0xb7ffe
# Holes: between the regions, behind the end of RAM, at the end of the address space.
x/bx 0xa0000
x/2wx 0xfffe0
x/4bx 0x100000
x/wx 0xffffe
p *(int*)0x7fffffff
x/s 0xfffffffe
set {int}0x200000 = 1
set {int}0xffffe = 1
# A search.
find 0x7c00, 0x7dff, 'b', 'o', 'o', 't'
find 0x7c00, +0x200, (short)0xaa55
find 0xb8000, 0xb8fff, (char)'J'
dump binary memory /dev/null 0x7000 0x9000

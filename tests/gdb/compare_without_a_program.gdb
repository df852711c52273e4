# debug: guests/bin/hello.bin
# The image is the program that gdb compares memory with.
compare-sections
set {char}0x7c40 = 0
compare-sections
load
compare-sections
print $pc
tbreak *0x7c2a
continue
# debug: guests/bin/long.elf
# In another mode as well; its descriptors, which are in the image, are marked as used by then.
tbreak print64
continue
compare-sections
info registers mode

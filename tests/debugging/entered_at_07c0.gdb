# guest: ../../guests/bin/hello.bin
# symbols: ../../guests/bin/hello.elf
# entry: 07c0:0
# drive: 0
# transcript: entered_at_07c0.out
# errors: shown

# Entered as some firmware does it, with the first floppy in DL.
info registers eip ip cs dx
stepi 2
info registers eip ip cs

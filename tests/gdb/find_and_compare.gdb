# serve: guests/bin/hello.elf
# client: -s guests/bin/hello.elf
find 0x7c00, +0x200, (char)0x55, (char)0xaa
find /w 0, 0x7fff, 0xc08ed88e
find /b 0, 0xfff, 0x77, 0x66
exec-file guests/bin/hello.elf
compare-sections
set {char}0x7c00 = 0
compare-sections .text
# wait: a debugger may attach and look

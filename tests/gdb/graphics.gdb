# debug: guests/bin/planar.elf
monitor vga
x/4bx 0xa0000
break copy
continue
# Mode 12h: video memory is at A0000 now, and nothing at B8000.
monitor vga
monitor screen
x/4bx 0xa0000
x/bx 0xb8000
# What a debugger reads loads no latches; what the guest reads does.
break invert
continue
monitor vga
watch *(char *)0xa0fa0
continue
monitor screen graphics.jpg
delete
continue
monitor vga

# debug: guests/bin/banner.bin --load 0 --entry 0:0 --symbols guests/bin/banner.elf
break next_row
display/x $ah
continue
monitor screen
continue
monitor screen
x/4hx 0xb8000
delete
continue
monitor screen
# debug: guests/bin/banner.elf
# The same as an ELF, which says itself where it goes.
p $pc
tbreak done
continue
x/4hx 0xb8000
# debug: guests/bin/hello.bin --symbols guests/bin/hello.elf --entry 07c0:0 --drive 0
# Entered as some firmware does it, with the first floppy in DL.
info registers eip ip cs dx
stepi 2
info registers eip ip cs
# debug: --demo
break halt
continue
monitor screen

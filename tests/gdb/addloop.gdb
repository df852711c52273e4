# debug: guests/bin/addloop.bin --symbols guests/bin/addloop.elf
# The guest loops for ever; ^C stops it.
tbreak forever
continue
continue
^C
p $ax
p $bx
p $cx
p {short[3]}&a
x/3dh &a
# Once around the loop.
stepi
info registers eip
# A second time.
continue
^C
x/i $pc

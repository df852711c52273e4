# debug: guests/bin/addloop.bin --symbols guests/bin/addloop.elf
echo -- the guest loops for ever; an interrupt stops it\n
break forever
continue
p $ax
p $bx
p $cx
p {short[3]}&a
x/3dh &a

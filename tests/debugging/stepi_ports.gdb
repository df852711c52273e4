# guest: ../../guests/bin/portio.elf
# transcript: stepi_ports.out
# errors: shown

tbreak *0x7c15
continue
display/i $pc
# OUT with the port in the instruction: the POST port.
stepi
stepi
tbreak *0x7c21
continue
# OUT to the debug port; its line comes when it is whole.
stepi
p/c $al
tbreak write_all
continue
# Each step is one iteration of REP OUTSB.
p $cx
stepi
p $cx
stepi 2
p $cx
# A line is one step: all the others.
next
p $cx
# A word to E9 and EA.
stepi
p/x $ax
stepi
# IN: the debug port, then a port without a device.
stepi
stepi
p/x $ax
tbreak *0x7c3d
continue
stepi
p/x $al
stepi 2
p/x $ax
stepi
p/x $ax

# debug: guests/bin/hello.elf
# Two bytes of one cell of the screen: the stosw that writes it hits both, and both are told, at one place.
watch *(char*)0xb8000
watch *(char*)0xb8001
continue
info registers ip di
continue
info registers ip di
delete
# At a stepi as well, before anything is executed.
watch *(char*)0xb8002
watch *(char*)0xb8003
continue
stepi
info registers ip di
stepi
info registers ip di
delete
# One within the other: at one stop.
watch *(short*)0xb8004
awatch *(char*)0xb8005
continue
continue
# debug: guests/bin/hello.elf
# A condition that is false, and a watchpoint taken back before its turn.
watch *(char*)0xb8000 if 1 == 2
watch *(char*)0xb8001
watch *(short*)0xb8002
awatch *(char*)0xb8001
continue
delete
watch *(char*)0xb8004
watch *(char*)0xb8005
continue
delete 6
tbreak halt
continue
# debug: guests/bin/hello.elf
# The second is of no interest if the guest is sent elsewhere.
watch *(char*)0xb8000
watch *(char*)0xb8001
continue
jump halt
# debug: guests/bin/long.elf
# Hit in a mode that gdb is told of first; the old values are those before it.
watch *(char*)0xb80a0
watch *(char*)0xb80a1
continue
continue
info registers mode
delete
watch *(char*)0xb8140
watch *(char*)0xb8141
continue
continue
info registers mode

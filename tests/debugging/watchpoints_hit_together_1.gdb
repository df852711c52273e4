# guest: ../../guests/bin/hello.elf
# transcript: watchpoints_hit_together_1.out
# errors: shown

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

# guest: ../../guests/bin/hello.elf
# transcript: watchpoints_hit_together_2.out
# errors: shown

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

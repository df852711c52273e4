# debug: guests/bin/addloop.elf
# Variables: read, written, both.
watch *(short*)&sum
rwatch *(short*)&b
awatch *(short*)&a
info watchpoints
continue
continue
continue
continue
info watchpoints
kill
# debug: guests/bin/hello.elf
# Video memory, written; and the third letter of a text, read.
watch *(short*)0xb8002
rwatch *(char*)0x7c39
continue
continue
info registers ip si di
monitor screen
delete
tbreak halt
continue
# debug: guests/bin/cs07c0.elf
# A condition, a breakpoint beside it, and what the far call pushes.
watch *(short*)0x7bfc if *(short*)0x7bfc == 0x34
break far_mark
ignore 2 2
continue
continue
info watchpoints

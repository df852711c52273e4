# guest: ../../guests/bin/addloop.elf
# transcript: watch_variables.out
# errors: shown

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

# guest: ../../guests/bin/hello.elf
# transcript: watch_video_memory.out
# errors: shown

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

# The guest asks for the end, and is run again.
# debug: guests/bin/hello.elf
tbreak halt
commands
set {char[4]}$pc = {0xb0, 0x15, 0xe6, 0xf4}
continue
end
continue
print $_exitcode
info registers eip
break print
run
x/s $si
monitor screen
kill

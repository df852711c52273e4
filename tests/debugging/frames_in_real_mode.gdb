# guest: ../../guests/bin/calls.elf
# transcript: frames_in_real_mode.out
# errors: shown

# Near and far calls, frame pointers and an interrupt, at CS = 07C0 and SS = 0900.
break put
continue
bt
finish
continue
continue
bt
finish
delete
break tick
continue
bt
stack 12
up
info registers ip sp bp ax al
up 3
down
finish
# The same for clients without the script.
monitor backtrace
monitor stack 3
# From each instruction of a routine the frames are the same.
delete
tbreak with_frame
run
bt 1
stepi
bt
stepi
bt
stepi
bt
tbreak *0x7c61
continue
bt
stepi
bt
stepi
bt
stepi
bt

# guest: ../../guests/bin/hello.elf
# transcript: monitor_reset.out
# errors: shown

break print
continue
continue
monitor screen
# The guest starts anew; breakpoints stay.
monitor reset
maintenance flush register-cache
info registers eip sp dx
monitor screen
x/s greeting
continue
delete
continue
monitor screen
monitor reset
maintenance flush register-cache
stepi
x/i $pc

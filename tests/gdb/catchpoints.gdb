# The machine's own stops: before a software interrupt, behind an access to a port.
# debug: guests/bin/int.elf
monitor stop-at
monitor stop-at int 0x21 al=0x42
monitor stop-at int 0x60 ax=0x0042
monitor stop-at out 0xe9
continue
x/i $pc
p/c $al
# It goes on from there, into the handler.
stepi
continue
x/i $pc
monitor stop-at
monitor stop-at delete 1
monitor stop-at delete 1
monitor stop-at delete
monitor stop-at delete all
monitor stop-at
continue
monitor screen
# Words that are no stop.
monitor stop-at int
monitor stop-at int 0x100
monitor stop-at int 0x10 bx=1
monitor stop-at in 0x10000
monitor stop-at port 0x80
monitor break-on port=0x80
# A stop by the command line, at a value.
# debug: --stop-at 'out 0xe9 0x50,in 0x1234' --stop-at 'out 0xe9 0x21' guests/bin/portio.elf
monitor stop-at
continue
x/2i $pc - 2
continue
continue
continue
continue
monitor stop-at
# gdb steps off its own breakpoints: what it meets there is told all the same.
# debug: guests/bin/int.elf
monitor stop-at int 0x21
break *first_int - 2
monitor stop-at delete 1
continue
monitor stop-at int 0x21
continue
monitor stop-at delete all
delete
# A breakpoint on the very instruction.
monitor stop-at int 0x60
break *0x7c3e
commands
silent
printf "my own commands, AX = %x\n", $ax
end
continue
continue
monitor screen

# guest: ../../guests/bin/int.elf
# transcript: stop_at_interrupts_by_command.out
# errors: shown

# The machine's own stops, by the script's commands.
break-int 0x21 al=0x42
break-int 0x60
break-list
continue
x/i $pc
bt
break-delete 1
continue
x/i $pc
break-delete all
break-delete
break-int
break-int nonsense
break-mode now

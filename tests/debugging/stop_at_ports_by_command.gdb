# guest: ../../guests/bin/portio.elf
# transcript: stop_at_ports_by_command.out
# errors: shown

break-out 0xe9 0x6f
break-out 0x80
break-in 0x1234
break-list
continue
continue
break-delete 1
continue
break-list
break-delete all
break-io 0x1234
continue

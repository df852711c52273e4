# guest: ../../guests/bin/cs07c0.bin
# symbols: ../../guests/bin/cs07c0.elf
# transcript: break_by_label_line_address.out
# errors: shown

# At CS = 07C0: by label, by line, by address.
break show_cs
break cs07c0.asm:70
break *0x7c68
info breakpoints
continue
info registers eip ip cs cs_base
continue
info registers eip ip cs cs_base
delete 2 3
continue
info registers eip ip cs cs_base
info breakpoints
delete
continue
monitor screen
detach

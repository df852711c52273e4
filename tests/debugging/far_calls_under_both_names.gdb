# guest: ../../guests/bin/cs07c0.elf
# transcript: far_calls_under_both_names.out
# errors: shown

# The routine is called as 07C0:006A twice, then as 0000:7C6A: one address, one breakpoint.
break far_mark
continue
info registers cs ip eip
x/2hx $sp
continue
info registers cs ip eip
continue
info registers cs ip eip
x/2hx $sp
info breakpoints
continue

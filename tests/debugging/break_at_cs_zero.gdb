# guest: ../../guests/bin/hello.elf
# transcript: break_at_cs_zero.out
# errors: shown

break print
break hello.asm:51
break *0x7c2b
continue
x/s $si
x/hx $sp
continue
continue
x/s $si
continue
info registers eip ip cs
info breakpoints
monitor screen
kill

# guest: long_text.asm
# ends: halt
# screen contains: A
## The service works on in the ROM, with the caller's registers and interrupts disabled.
break write
continue
stepi
assert $cs == 0xf000 && $eip == 0xff065
stepi
assert $eip == 0xfd0b0
assert $ax == 0x1301 && $cx == 400 && $dx == 0x1800 && ($eflags & 0x200) == 0
stepi
assert $eip == 0xfd0b0
up
assert $pc == &done
delete
tbreak done
continue
assert $ax == 0x1301 && $cx == 400 && $dx == 0x1800 && ($eflags & 0x200) != 0

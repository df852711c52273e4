# guest: bios_is_stepped.asm
# ends: halt
# screen: A
break *0xff065
continue
assert $cs == 0xf000 && $eip == 0xff065
stepi
assert $eip == 0xff067
assert *(unsigned char *)0xb8000 == 'A'
stepi
assert $cs == 0 && $eip == 0x7c08
delete
continue

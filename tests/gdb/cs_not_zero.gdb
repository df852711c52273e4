# debug: guests/bin/cs07c0.bin --symbols guests/bin/cs07c0.elf
echo -- break by label, at CS = 07C0\n
break show_cs
continue
info registers eip ip cs mode
x/3i $pc
bt 1
echo -- and once more\n
continue
delete
echo -- break by address\n
break *0x7c68
continue
echo -- to the end\n
delete
continue
monitor screen

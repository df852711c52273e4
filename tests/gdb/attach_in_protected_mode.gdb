# serve: guests/bin/protected.elf
# client: -s guests/bin/protected.elf
# This one has met real mode, and goes past the switch.
tbreak protected_entry
continue
p $mode
info registers eip cs
detach
# wait: halted for ever
# client: -s guests/bin/protected.elf
# This one finds a guest in 32-bit code.
show architecture
p $mode
x/3i $pc
info registers
monitor screen
set $pc = protected_entry
x/4i $pc
stepi 2
x/2i $pc
info registers ds ds_base
break print
continue
x/s $esi
x/wx $esp
p/x $edi
next
p/c $al
info line
delete
tbreak halt
continue
monitor walk 0xb80a0
monitor walk ds:0x7c00
p/x $cr0
# A selector is loaded from the descriptor table, or refused.
set $fs = 0x8
p/x $fs_base
set $fs = 0x30
p/x $fs
set $eax = 0xdeadbeef
p/x $ax
monitor xp/2i 0x7c38
monitor xp/2i 0x7c00 16
kill

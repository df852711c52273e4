# serve: guests/bin/long.elf
# client: -s guests/bin/long.elf
tbreak long_entry
continue
p $mode
disconnect
# wait: halted for ever
# client: -s guests/bin/long.elf
show architecture
p $mode
x/3i $pc
# CPUID left something of the host here.
set $rbx = 0x123456789abcdef0
info registers
monitor screen
set $pc = long_entry
p/x $ebx
p/x $bl
set $r15 = -1
p/x $r15
x/6i $pc
stepi 5
info registers rip rsp ds ss
break print64
continue
x/s $rsi
x/gx $rsp
p/x $rdi
next
p/c $al
delete
tbreak halt
continue
monitor walk 0xb8140
monitor walk 0xffffffff80000000
monitor walk 0x40000000
x/4hx 0xb8140
x/gx 0x1000
x/gx 0x3000
# Mapped, but nothing is there; mapped by nothing; no address at all.
x/bx 0x3f000000
x/bx 0x40000000
x/bx 0xffff800000000000
x/bx 0x800000000000
set $rip = 0x800000000000
p $rip
set $fs_base = 0xffff800000000000
p/x $fs_base
set $gs_base = 0x1000000000000
p $cr0
p $cr4
p $efer
monitor xp/2i 0x7d00
kill

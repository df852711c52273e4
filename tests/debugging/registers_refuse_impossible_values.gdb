# guest: ../../guests/bin/cs07c0.elf
# transcript: registers_refuse_impossible_values.out
# errors: shown

tbreak main
continue
# Outside the segment of 64 KiB that begins at 7C00.
set $pc = 0x100
p/x $pc
set $pc = 0x17c00
p/x $pc
set $pc = 0x17bff
p/x $ip
set $sp = 0x100000
p $sp
# Wider than the register.
set $cs = 0x12345
set $ds = 0x10000
p/x $ds
set $cr8 = 0x10
# Combinations that no processor has.
set $cr0 = 0x80000000
set $cr0 = 0x20000011
p $cr0
set $efer = 2
p $efer
set $efer |= 0x100
p $efer
set $mode = 2
p $mode
set $eflags |= 0x20000
p $eflags
# Nothing of it has moved the guest.
set $ip = 5
next
info line

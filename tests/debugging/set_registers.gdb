# guest: ../../guests/bin/hello.elf
# transcript: set_registers.out
# errors: shown

# Parts of a register, and whole ones.
set $eax = 0x12345678
set $ax = 0xabcd
p/x $eax
set $ah = 0x11
set $al = 0x22
p/x $eax
set $esi = 0xdead
p/x $si
# A selector moves its base, a base moves alone.
set $ds = 0xb800
p/x $ds_base
set $fs_base = 0x12345678
p/x $fs
p/x $fs_base
set $es = 0x40
p/x $es_base
# A code selector moves the program counter, which is linear.
p/x $ip
set $cs = 0x100
p/x $ip
p $pc
set $cs = 0
p $pc
set $pc = print
x/i $pc
p/x $ip
set $ip = 0x7c2a
x/i $pc
# Flags, by number.
set $eflags = 0xcd7
p $eflags
set $eflags |= 0x200
p $eflags
# The stack pointer: the offset alone, then offset and segment.
set $ss = 0x700
set $esp = 0x100
p $sp
set $sp = 0x7200
p/x $esp
# x87, SSE, descriptor tables, control registers.
set $st0 = 1.5
p $st0
set $xmm3.v4_int32 = {1, 2, 3, 4}
p $xmm3.v4_int32
p $xmm3.uint128
set $mxcsr = 0x1fc0
p $mxcsr
set $fctrl = 0x27f
p/x $fctrl
set $gdtr_base = 0x9000
set $gdtr_limit = 0x17
p/x $gdtr_base
p/x $gdtr_limit
set $idtr_limit = 0x3ff
p/x $idtr_limit
set $cr2 = 0x11223344
p/x $cr2
set $dr0 = 0x7c00
p/x $dr0

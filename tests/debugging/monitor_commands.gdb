# guest: ../../guests/bin/int.elf
# transcript: monitor_commands.out
# errors: shown

monitor help
monitor nonsense
monitor screen
tbreak first_int
continue
monitor screen
monitor xp 0x7c30
monitor xp/8i 0x7c30
monitor xp/2i 0x7c7c 32
monitor xp/2i 0x7c7c -64
monitor xp/8xb 0x7dfa
monitor xp/4xh 0xb8000
monitor xp/2xw 0x84
monitor xp/2g 31744
monitor xp/3d 0x84
monitor xp/4ub 0x84
monitor xp/2ob 0x84
monitor xp/2tb 0x84
monitor xp/8c 0x7cb5
monitor xp/s 0x7cb5
monitor xp/4x 0x3fffff8
monitor xp/4xb 0xa0000
monitor xp/8z 0
monitor xp
monitor xp/i 0x
monitor xp/99999999x 0
monitor walk 0x7c30
monitor walk 07C0:0030
monitor walk es:0x10
monitor walk 0xb8000
monitor walk 0xa0000
monitor walk $pc
monitor walk ss:$sp
monitor walk $es:$di
monitor xp/2i $pc
monitor xp/2xh ss:$sp
monitor xp/4xb $si
monitor walk
monitor walk nowhere
monitor walk $nothing
monitor screen now
monitor vga now
monitor 

# What the script adds: registers in words, breakpoints by segment and offset, screen.
# debug: guests/bin/cs07c0.elf
print/x $seg_off(0x7c0, 0x4b)
# A screen with nothing on it is a file as well.
python import os
python gdb.execute("dump-screen " + os.environ["TMPDIR"] + "/empty.txt")
python print(repr(open(os.environ["TMPDIR"] + "/empty.txt").read()))
break-far 07c0:004b
tbreak-far $cs:$ip+5
info breakpoints
continue
continue
regs16
set {char} 0xb8000 = '+'
screen
break-far nowhere
break-far 7c0
break-far x:0
break-far 7c0:0 if $ax == 5
screen now
dump-screen
dump-screen screen.jpg
dump-screen /nonexistent/screen.png
python gdb.execute("dump-screen " + os.environ["TMPDIR"] + "/a.png")
python print(open(os.environ["TMPDIR"] + "/a.png", "rb").read(8))
python gdb.execute("dump-screen " + os.environ["TMPDIR"] + "/a.txt")
python print(open(os.environ["TMPDIR"] + "/a.txt").read())
stack 1
stack x
regs16 all
# Registers of another frame, and in 64-bit mode.
# debug: guests/bin/modes.elf
tbreak leaf
continue
up
regs16
set stepvisor-prompt on
show stepvisor-prompt
set stepvisor-prompt off
# Without a guest.
# gdb:
python import subprocess; gdb.execute(subprocess.check_output(["stepvisor", "gdb-script"], text=True))
ivt
screen
break-far 7c0:0
break-int 0x10
regs16
stepvisor
stepvisor now
help break-far
help break-int
help dump-screen

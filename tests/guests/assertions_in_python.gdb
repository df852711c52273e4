# guest: ../../guests/bin/hello.elf

python
for number in range(3):
    gdb.execute("stepi")
gdb.execute("assert $cs == 0 && $ip > 0x7c00")
end

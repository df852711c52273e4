## fails: gdb crashed
## says: gdb_crashed.gdb:5: gdb was ended by signal 9
# guest: ../../guests/bin/hello.elf

python import os; os.kill(os.getpid(), 9)
assert 1

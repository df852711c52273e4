## fails: hang
## says: the test is not over after 2 s
# guest: ../../guests/bin/hello.elf
# timeout: 2s

assert $ip == 0x7c00
## The program is ended along with gdb, or nobody would see the report for an hour.
shell sleep 3600

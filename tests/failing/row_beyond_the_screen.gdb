## fails: failed
## says: row_beyond_the_screen.gdb:5: screen row 25: ""
## says: found     there are only 25 rows, counted from 0
# guest: ../../guests/bin/hello.elf
# screen row 25: ""

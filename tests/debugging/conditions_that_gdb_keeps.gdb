## Conditions that the server evaluates, those that gdb keeps, and prints without a stop.
# guest: ../../guests/bin/hello.elf
# transcript: conditions_that_gdb_keeps.out
# errors: shown

break print if *(char *)0xf0000000 == 3
continue
condition 1 $edi / ($edi - $edi) == 1
continue
continue

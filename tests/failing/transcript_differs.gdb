## fails: failed
## says: transcript: transcript_differs.out
## says: -Breakpoint 1 at 0x7c2f
# guest: ../../guests/bin/hello.elf
# transcript: transcript_differs.out

break print

# guest: ../../guests/bin/tracks.bin
# symbols: ../../guests/bin/tracks.elf
# drive: 0
# ends: halt
# screen file: ../screens/tracks.txt

break all
continue
## One call for all 72 sectors.
assert $bp == 72
break check
continue
assert ($ax & 0xff) == 72 && ($eflags & 1) == 0
delete

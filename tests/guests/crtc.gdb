# guest: ../../guests/bin/crtc.elf
# ends: halt
# screen file: ../screens/crtc.txt

break split
continue
assert screen row 0: third row

# guest: ../../guests/bin/retrace.elf
# ends: halt
# screen file: ../screens/retrace.txt
# register bx: 400

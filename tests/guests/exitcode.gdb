# guest: ../../guests/bin/exitcode.elf
# ends: exit 21
# screen file: ../screens/exitcode.txt
# writes port 0xf4: 21

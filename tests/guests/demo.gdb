# guest: ../../guests/bin/demo.bin
# ends: halt
# screen file: ../screens/demo.txt
# screen contains: A hypervisor you debug with gdb.

# guest: ../../guests/bin/triple.elf
# ends: triple-fault
# screen contains: About to triple fault.
# register cs: 8

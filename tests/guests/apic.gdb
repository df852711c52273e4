# guest: ../../guests/bin/apic.elf
# ends: halt
# screen file: ../screens/apic.txt

# guest: ../../guests/bin/faults.elf
# ends: halt
# screen file: ../screens/faults.txt
# screen lacks: General protection

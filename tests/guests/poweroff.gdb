# guest: ../../guests/bin/poweroff.elf
# ends: power-off
# screen file: ../screens/poweroff.txt
# screen contains: Good night.

# guest: ../../guests/bin/keyboard.elf
# keys: Hello, world{Up}{Esc}
# ends: halt
# screen file: ../screens/keyboard.txt

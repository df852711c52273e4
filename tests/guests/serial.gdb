# guest: ../../guests/serial.asm
# ends: halt
# screen file: ../screens/serial.txt
# serial contains: COM1
# serial file: serial.txt

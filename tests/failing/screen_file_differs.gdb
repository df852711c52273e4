## fails: failed
## says: screen file: int.txt
## says: +Hello from a boot sector!
# guest: ../../guests/bin/hello.elf
# screen file: ../screens/int.txt

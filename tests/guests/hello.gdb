# guest: ../../guests/hello.asm
# ends: halt
# screen contains: Hello

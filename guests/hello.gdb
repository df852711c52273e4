# guest: hello.asm
# ends: halt
# screen contains: Hello

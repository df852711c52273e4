# serve: guests/bin/hello.elf
# client: -s guests/bin/hello.elf
# A guest that says when it runs: mov al, '!'; out 0xe9, al; jmp $
set {char[6]}main = {0xb0, 0x21, 0xe6, 0xe9, 0xeb, 0xfe}
break *(main + 4)
# The guest goes on without a debugger; breakpoints go with the client.
detach
# wait: !
# client: -s guests/bin/hello.elf
x/i $pc
p/c $al
tbreak *(main + 4)
continue
continue
^C
x/i $pc
# A client that leaves without a word counts as detached.
set $pc = main
set {char}(main + 1) = '?'
disconnect
# wait: ?
# client: -s guests/bin/hello.elf
x/i $pc
p/c $al
kill

# debug: guests/bin/keyboard.elf
monitor keyboard
monitor key
monitor key a{Entr}
monitor key A
monitor keyboard
tbreak got
continue
print/x $al
monitor keyboard
break put
continue
print/c $al
monitor key {Esc}
continue
continue
monitor screen
# The program has been typed for once only.
monitor reset
maintenance flush register-cache
monitor keyboard
kill
quit
# debug: --keys b{Esc} guests/bin/keyboard.elf
break halt
continue
monitor screen
# Typed again at each start.
run
continue
monitor screen
kill
quit
# debug: guests/bin/serial.elf
monitor serial
tbreak send
continue
print/c $al
monitor serial
continue
monitor serial 1 hi\r\n
monitor serial 3 x
monitor serial 1
monitor serial
quit

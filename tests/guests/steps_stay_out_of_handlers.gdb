# guest: busy.asm
# ends: halt

## Each access to a port takes a microsecond, and the timer's interrupt is due every hundred: it waits.
tbreak work
continue
set $n = 0
while $n < 400
  stepi
  assert $pc < (long)&tick
  set $n = $n + 1
end
assert *(short *)&ticks == 0
next
assert $pc < (long)&tick

## A guest that runs gets it at once.
tbreak tick
continue
assert $pc == (long)&tick
assert *(short *)&ticks == 0

## A handler is stepped like anything else, and out of it by its IRET.
stepi 6
assert $pc < (long)&tick
assert *(short *)&ticks == 1

## With monitor irq on, steps lead into it.
monitor irq on
set $n = 0
while $n < 400 && $pc < (long)&tick
  stepi
  set $n = $n + 1
end
assert $pc == (long)&tick

## With monitor irq off it does not even come while the guest runs.
finish
monitor irq off
tbreak tick
tbreak work
ignore $bpnum 200
continue
assert $pc < (long)&tick
assert *(short *)&ticks == 2
delete
monitor irq auto

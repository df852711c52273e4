# guest: ../../guests/bin/ticks.elf
# ends: halt
# screen contains: Ten ticks

## The timer's interrupt waits while a user steps, however long that takes.
tbreak wait_tick
continue
set $n = 0
while $n < 300
  stepi
  assert $pc != (long)tick
  set $n = $n + 1
  if *(unsigned char *)$pc == 0xf4
    set $n = 300
  end
end
assert *(short *)ticks == 0

## A guest that runs gets it.
tbreak tick
continue
assert $pc == (long)tick
assert *(short *)ticks == 0

## monitor irq on: in steps as well.

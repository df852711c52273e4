# guest: ../../guests/bin/ticks.elf
# ends: wait

## Interrupts that are off never come: the guest waits in HLT for good.
monitor irq off

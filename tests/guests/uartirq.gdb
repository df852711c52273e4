# guest: ../../guests/bin/uartirq.elf
# ends: halt
# screen row 0: b05a
# screen row 1: All sent.
# serial: "Sent by IRQ 4\n"

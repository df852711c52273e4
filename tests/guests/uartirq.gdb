# guest: ../../guests/bin/uartirq.elf
# ends: halt
# screen file: ../screens/uartirq.txt
# serial: "Sent by IRQ 4\n"

# guest: ../../guests/bin/faults.elf
# transcript: stop_on_exceptions_by_monitor.out
# errors: shown

monitor stop-on
monitor stop-on de,nonsense
monitor stop-on ud
continue
# The invalid opcode is mended: it becomes two NOPs.
set {short}$pc = 0x9090
continue
monitor screen

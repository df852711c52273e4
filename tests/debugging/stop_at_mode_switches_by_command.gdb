# guest: ../../guests/bin/protected.elf
# transcript: stop_at_mode_switches_by_command.out
# errors: shown

break-mode
continue
info registers mode

# The script in a gdb of the user's own, by the line for .gdbinit, and again.
# serve: guests/bin/calls.elf
# client:
python import subprocess; gdb.execute(subprocess.check_output(["stepvisor", "gdb-script"], text=True))
python import subprocess; gdb.execute(subprocess.check_output(["stepvisor", "gdb-script"], text=True))
info unwinder
info frame-filter
tbreak tick
continue
bt
# debug: --no-gdb-script guests/bin/calls.elf
info unwinder
ivt

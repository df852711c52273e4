# Code that a compiler described is left to gdb; what nobody described is not. Any program of the host will do.
# gdb:
python import subprocess; gdb.execute(subprocess.check_output(["stepvisor", "gdb-script"], text=True))
file /bin/sh
python import re; entry = int(re.search("Entry point: (0x[0-9a-f]+)", gdb.execute("info files", to_string=True)).group(1), 16)
python from stepvisor import cfi
python print(cfi.describes(entry, "i386:x86-64"), cfi.describes(1, "i386:x86-64"), cfi.describes(entry, "i8086"))

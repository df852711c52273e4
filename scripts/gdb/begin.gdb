# Stepvisor's script for gdb: frames of 16-bit code and of assembly, and the commands of docs/gdb-script.md.
# `stepvisor gdb-script` prints it; `stepvisor debug` loads it by itself.

# gdb's own functions on strings are written in Python: without it, this one does not exist.
if $_isvoid ($_streq)
echo stepvisor: this gdb has no Python: there are no script commands, `bt` and `finish` know no 16-bit frames; `monitor help` lists what there is\n
else

# Stepvisor's script for gdb: frames of 16-bit code and of assembly, and the commands of docs/gdb-script.md.
# `stepvisor gdb-script` prints it; `stepvisor debug` loads it by itself.

# gdb's own functions on strings are written in Python: without it, this one does not exist.
if $_isvoid ($_streq)
echo stepvisor: this gdb has no Python: there are no script commands, `bt` and `finish` know no 16-bit frames; `monitor help` lists what there is\n
else
python
import sys
import types


def stepvisor_module(name, source):
    """Makes the Python module stepvisor.NAME of its source."""
    module = types.ModuleType("stepvisor." + name)
    sys.modules["stepvisor." + name] = module
    setattr(sys.modules["stepvisor"], name, module)
    exec(compile(source, "stepvisor/%s.py" % name, "exec"), module.__dict__)


if "stepvisor" in sys.modules:
    # Loaded before: what listens must not do so twice.
    sys.modules["stepvisor"].server.unload()
    sys.modules["stepvisor"].unwinder.unload()
sys.modules["stepvisor"] = types.ModuleType("stepvisor")


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
    sys.modules["stepvisor"].conditions.unload()
sys.modules["stepvisor"] = types.ModuleType("stepvisor")

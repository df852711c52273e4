"""The parameter `stepvisor-prompt`: a prompt with CS:IP and the mode.

A stop's own line is gdb's; what a script adds to it comes behind the displays. The prompt comes last.
"""

import gdb

from stepvisor import server


class Prompt(gdb.Parameter):
    """Whether the prompt shows CS:IP and the processor's mode: (gdb 07C0:004B real)."""

    set_doc = "Set whether the prompt shows CS:IP and the processor's mode."
    show_doc = "Show whether the prompt shows CS:IP and the processor's mode."

    def __init__(self):
        super().__init__("stepvisor-prompt", gdb.COMMAND_SUPPORT, gdb.PARAM_BOOLEAN)
        self.value = False
        self.before = None

    def get_set_string(self):
        if self.value and gdb.prompt_hook is not self.hook:
            self.before, gdb.prompt_hook = (gdb.prompt_hook, gdb.parameter("prompt")), self.hook
        elif not self.value and self.before is not None:
            (gdb.prompt_hook, prompt), self.before = self.before, None
            gdb.execute("set prompt " + prompt)
        return ""

    def get_show_string(self, value):
        return "The prompt shows CS:IP and the processor's mode: %s." % value

    def hook(self, _current):
        try:
            if not gdb.selected_thread() or not server.is_stepvisor():
                return "(gdb) "
            frame = gdb.newest_frame()
            name = frame.architecture().name()
            pc = int(frame.read_register("rip" if name == "i386:x86-64" else "eip"))
            base = int(frame.read_register("cs_base"))
            digits = {"i8086": 4, "i386": 8}.get(name, 16)
            ip = pc if digits == 16 else pc - base
            cs, mode = int(frame.read_register("cs")), frame.read_register("mode")
            return "(gdb %04X:%0*X %s) " % (cs, digits, ip & (1 << 4 * digits) - 1, mode)
        except gdb.error:
            return "(gdb) "


def load():
    """Defines the parameter."""
    Prompt()

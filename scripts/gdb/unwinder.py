"""Frames of code that no debug information describes: 16-bit code, and assembly of any width.

The server walks the code to its return and says who called it (`monitor gdb-script caller`); this turns
the answer into what gdb wants of an unwinder. One packet a frame, none about memory.

gdb compares frames by their ids. A *wild* id, of a stack address without a code address, is the same all
through a routine, whatever labels gdb finds in it. The outermost frame unwinds to itself, which ends gdb's
way up; a filter keeps `bt` from calling that corrupt.
"""

import gdb
import gdb.unwinder
from gdb.FrameDecorator import FrameDecorator

from stepvisor import cfi, server

# What gdb reads of a frame, or of the one it unwinds to. Control, debug, x87 and SSE registers belong to no
# frame, and reading them costs a packet at each stop.
GENERAL = {
    "i386": "eax ebx ecx edx esi edi ebp esp eip",
    "i386:x86-64": "rax rbx rcx rdx rsi rdi rbp rsp rip r8 r9 r10 r11 r12 r13 r14 r15",
}
GENERAL["i8086"] = GENERAL["i386"] + " sp ip"
COMMON = "eflags cs ss ds es fs gs cs_base ss_base ds_base es_base fs_base gs_base mode"

# Registers that gdb makes of others, with what they are of, their first byte and their size.
PARTS = [(r + "x", r + "x", 0, 2) for r in "abcd"]
PARTS += [(r, r, 0, 2) for r in ("si", "di", "bp")]
PARTS += [(r + "l", r + "x", 0, 1) for r in "abcd"] + [(r + "h", r + "x", 1, 1) for r in "abcd"]
WORDS = [("e" + r, r, 0, 4) for r in "ax bx cx dx si di bp sp".split()]

# The end of every stack: no frame is outside it. When the user gives frame 0 other registers, it moves: gdb
# selects the frame with the old id again, which must not be another one that is the outermost now.
# The same in every mode: a breakpoint that gdb sets for a frame (`until`, `finish`) holds behind a switch as well.
OUTERMOST = 0xFFFFFFFFFFFFFFFF


class FrameId:
    """What gdb tells frames apart by: the stack address alone."""

    def __init__(self, sp):
        self.sp = gdb.Value(sp)


class Unwinder(gdb.unwinder.Unwinder):
    """Asks the server for the caller of each frame."""

    def __init__(self):
        super().__init__("stepvisor")
        self.writes = 0

    def note_write(self, event):
        """Register values were given to a frame."""
        if event.frame.level() == 0:
            self.writes = (self.writes + 1) % 0x1000

    def __call__(self, pending):
        name = pending.architecture().name()
        general = GENERAL.get(name)
        if general is None or not server.is_stepvisor():
            return None
        try:
            return self.unwind(pending, name, general.split() + COMMON.split())
        except (gdb.error, gdb.GdbError, ValueError):
            # A frame whose registers are not known, or a server that is gone.
            return None

    def unwind(self, pending, architecture, names):
        # Numbers at once: a value that gdb has not fetched yet refers to frames that it is about to make.
        values = {}
        for name in names:
            value = pending.read_register(name)
            values[name] = (int(value), value.type)
        prefix = "r" if architecture == "i386:x86-64" else "e"
        pc, sp, bp = (values[prefix + name][0] for name in ("ip", "sp", "bp"))
        mask = 0xFFFFFFFFFFFFFFFF if prefix == "r" else 0xFFFFFFFF
        pc &= mask
        if cfi.describes(pc, architecture):
            return None
        others = (values[n][0] for n in ("eflags", "cs", "cs_base", "ss", "ss_base"))
        request = ";".join("%x" % (number & mask) for number in (pc, sp, bp, *others))
        reply = server.caller(request)
        if reply == "outermost":
            frame, changed = OUTERMOST - self.writes, {}
        else:
            _, frame, *fields = reply.split(";")
            frame = int(frame, 16)
            changed = dict(field.split("=") for field in fields)
        info = pending.create_unwind_info(FrameId(frame))
        saved = {}
        for name, (value, kind) in values.items():
            if name in changed:
                value = int(changed[name], 16)
            # As bytes: no number can be cast to a type of flags.
            saved[name] = (value & (1 << 8 * kind.sizeof) - 1).to_bytes(kind.sizeof, "little")
            info.add_saved_register(name, gdb.Value(saved[name], kind))
        for name, whole, start, size in PARTS + (WORDS if prefix == "r" else []):
            kind = pending.architecture().integer_type(8 * size)
            content = saved[prefix + whole][start : start + size]
            info.add_saved_register(name, gdb.Value(content, kind))
        return info


class Named(FrameDecorator):
    """A frame by the name that `up` gives it: of the call, where gdb before 14 takes what follows the call."""

    def function(self):
        frame = self.inferior_frame()
        return super().function() if frame.function() else frame.name() or "??"


class Frames:
    """The frame filter; see the head of this file."""

    name = "stepvisor"
    enabled = True
    priority = 0

    def filter(self, frames):
        return map(Named, frames)


_unwinder = Unwinder()


def load():
    """Registers both, in place of those of an earlier load."""
    gdb.unwinder.register_unwinder(None, _unwinder, replace=True)
    gdb.events.register_changed.connect(_unwinder.note_write)
    gdb.frame_filters[Frames.name] = Frames()


def unload():
    """Stops listening."""
    gdb.events.register_changed.disconnect(_unwinder.note_write)

"""The commands: breakpoints by segment and offset, the machine's own stops, tables, stack and screen."""

import os
import re

import gdb

from stepvisor import server


class Command(gdb.Command):
    """A command whose name and class are given with its subclass; its docstring is what `help` shows."""

    name = None
    kind = gdb.COMMAND_DATA

    def __init__(self):
        super().__init__(self.name, self.kind)


def number(text):
    """A number as users of segments write it: hexadecimal, with or without 0x, or any expression with $."""
    text = text.strip()
    if "$" in text:
        return int(gdb.parse_and_eval(text))
    try:
        return int(text, 16)
    except ValueError:
        raise gdb.GdbError("`%s` is no hexadecimal number such as 7c00, and no expression with $." % text)


class SegOff(gdb.Function):
    """$seg_off(SEG, OFF): the linear address of a real-mode pair, SEG * 16 + OFF."""

    def __init__(self):
        super().__init__("seg_off")

    def invoke(self, segment, offset):
        return (int(segment) & 0xFFFF) * 16 + (int(offset) & 0xFFFF)


class Linear(gdb.Function):
    """$linear(SELECTOR, OFF): the linear address of a pair in the present mode.
In real and virtual-8086 mode that is SELECTOR * 16 + OFF; elsewhere the descriptor has the base."""

    def __init__(self):
        super().__init__("linear")

    def invoke(self, segment, offset):
        return server.linear(int(segment) & 0xFFFF, int(offset) & 0xFFFFFFFFFFFFFFFF)


def far_location(argument, usage):
    """`*ADDRESS` and what follows the pair at the front of `argument`."""
    match = re.match(r"\s*([^\s:]+):(\S+)(.*)", argument)
    if not match:
        raise gdb.GdbError("usage: " + usage)
    segment, offset, rest = match.groups()
    return "*%#x%s" % (server.linear(number(segment) & 0xFFFF, number(offset)), rest)


class BreakFar(Command):
    """Set a breakpoint at a segment and an offset, both hexadecimal.
Usage: break-far SEG:OFF [if CONDITION]

  break-far 07c0:0010
  break-far $cs:$ip+2 if $ax == 5        (no blanks within the pair)

In protected mode SEG is a selector. All other commands of breakpoints apply:
the breakpoint is an ordinary one, at the linear address."""

    name = "break-far"
    kind = gdb.COMMAND_BREAKPOINTS

    def invoke(self, argument, from_tty):
        gdb.execute("break " + far_location(argument, "break-far SEG:OFF [if CONDITION]"), from_tty)


class TbreakFar(Command):
    """Set a temporary breakpoint at a segment and an offset; see break-far.
Usage: tbreak-far SEG:OFF [if CONDITION]"""

    name = "tbreak-far"
    kind = gdb.COMMAND_BREAKPOINTS

    def invoke(self, argument, from_tty):
        gdb.execute("tbreak " + far_location(argument, "tbreak-far SEG:OFF [if CONDITION]"), from_tty)


class StopCommand(Command):
    """A stop that the machine makes: hands its arguments to `monitor stop-at`."""

    kind = gdb.COMMAND_BREAKPOINTS
    stop = None

    def invoke(self, argument, from_tty):
        gdb.write(server.monitor(("stop-at %s %s" % (self.stop, argument)).rstrip()))


class BreakInt(StopCommand):
    """Stop at a software interrupt, before it is executed.
Usage: break-int VECTOR [ah=BYTE] [al=BYTE] [ax=WORD]

  break-int 0x10 ah=0x0e                 (the BIOS prints a character)
  break-int 0x13                         (any disk service)

The machine stops at the INT instruction itself, wherever that is. `break-list`
lists these stops, `break-delete` deletes them."""

    name = "break-int"
    stop = "int"


class BreakIn(StopCommand):
    """Stop behind a read of an I/O port.
Usage: break-in PORT[-LAST] [VALUE]

  break-in 0x60                          (a key is read)
  break-in 0x64 0x1c                     (the status that is read is 1Ch)"""

    name = "break-in"
    stop = "in"


class BreakOut(StopCommand):
    """Stop behind a write to an I/O port.
Usage: break-out PORT[-LAST] [VALUE]

  break-out 0x20 0x20                    (end of interrupt)"""

    name = "break-out"
    stop = "out"


class BreakIo(StopCommand):
    """Stop behind any access to an I/O port.
Usage: break-io PORT[-LAST] [VALUE]"""

    name = "break-io"
    stop = "io"


class BreakMode(StopCommand):
    """Stop where the processor has switched to another mode.
Usage: break-mode"""

    name = "break-mode"
    stop = "mode"

    def invoke(self, argument, from_tty):
        if argument.strip():
            raise gdb.GdbError("break-mode takes no arguments.")
        super().invoke("", from_tty)


class BreakList(Command):
    """List the stops of break-int, break-in, break-out, break-io and break-mode.
Usage: break-list"""

    name = "break-list"
    kind = gdb.COMMAND_BREAKPOINTS

    def invoke(self, argument, from_tty):
        if argument.strip():
            raise gdb.GdbError("break-list takes no arguments.")
        gdb.write(server.monitor("stop-at"))


class BreakDelete(Command):
    """Delete a stop by its number in break-list, or all.
Usage: break-delete NUMBER | all"""

    name = "break-delete"
    kind = gdb.COMMAND_BREAKPOINTS

    def invoke(self, argument, from_tty):
        if not argument.strip():
            raise gdb.GdbError("usage: break-delete NUMBER | all")
        gdb.write(server.monitor("stop-at delete " + argument))


def symbol(address):
    """` <name+offset>`, or nothing where gdb knows no name."""
    text = server.output_of("info symbol %#x" % address)
    match = re.match(r"(\S+?)(?: \+ (\d+))? in section ", text)
    if not match:
        return ""
    name, offset = match.groups()
    return " <%s+%s>" % (name, offset) if offset else " <%s>" % name


def with_symbols(text):
    """`text` with the names of the linear addresses, which stand in columns of their own."""

    def named(match):
        return match.group(0) + symbol(int(match.group(1), 16))

    return re.sub(r"(?<=  )(0x[0-9a-f]+)(?=  |$)", named, text, flags=re.MULTILINE)


class ServerCommand(Command):
    """What the server prints for the command of the same name, with symbols."""

    def invoke(self, argument, from_tty):
        gdb.write(with_symbols(server.monitor(("%s %s" % (self.name, argument)).rstrip())))


class Ivt(ServerCommand):
    """Show the real-mode interrupt vectors: number, segment and offset, linear address, use.
Usage: ivt [VECTOR]

Without a vector all that are not 0000:0000."""

    name = "ivt"


class Idt(ServerCommand):
    """Show the interrupt descriptor table: where each gate leads, its type and privilege level.
Usage: idt [VECTOR]"""

    name = "idt"


class Gdt(ServerCommand):
    """Show the global descriptor table: base, limit, type and privilege level by selector.
Usage: gdt [SELECTOR]"""

    name = "gdt"


class Stack(ServerCommand):
    """Show words on the stack, and which of them are return addresses.
Usage: stack [COUNT]

A word is as wide as the code. 16 are shown without a count."""

    name = "stack"


def colours():
    """Whether the terminal is to be sent colours."""
    return (
        gdb.parameter("style enabled")
        and os.environ.get("TERM", "dumb") != "dumb"
        and not os.environ.get("NO_COLOR")
        and os.isatty(1)
    )


class Screen(Command):
    """Show the text on the guest's screen, in its colours.
Usage: screen

Without colours on a dumb terminal, with `set style enabled off`, and where NO_COLOR is set."""

    name = "screen"

    def invoke(self, argument, from_tty):
        if argument.strip():
            raise gdb.GdbError("screen takes no arguments.")
        gdb.write(server.monitor("screen colour" if colours() else "screen"))


class DumpScreen(Command):
    """Write the guest's screen to a file, FILE.png as a picture or FILE.txt as text.
Usage: dump-screen FILE

The file is written where gdb runs, which may be another machine than the guest's."""

    name = "dump-screen"

    def __init__(self):
        gdb.Command.__init__(self, self.name, self.kind, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        arguments = gdb.string_to_argv(argument)
        if len(arguments) != 1:
            raise gdb.GdbError("usage: dump-screen FILE.png or FILE.txt")
        path = os.path.expanduser(arguments[0])
        form = os.path.splitext(path)[1].lower().lstrip(".")
        if form not in ("png", "txt"):
            raise gdb.GdbError("cannot write the screen to `%s`: the name must end in .txt or .png." % path)
        content = server.screen(form)
        try:
            with open(path, "wb") as file:
                file.write(content)
        except OSError as error:
            raise gdb.GdbError("cannot write the screen to `%s`: %s." % (path, error.strerror))


FLAGS = [
    (0, "carry"),
    (2, "parity"),
    (4, "adjust"),
    (6, "zero"),
    (7, "sign"),
    (8, "trap"),
    (9, "interrupts"),
    (10, "down"),
    (11, "overflow"),
    (14, "nested"),
]


class Regs16(Command):
    """Show the registers as 16-bit code sees them: words, flags by name, seg:off pairs.
Usage: regs16

Of the flags those that are set: carry parity adjust zero sign trap interrupts (enabled) down
(direction) overflow. The registers are those of the selected frame."""

    name = "regs16"

    def invoke(self, argument, from_tty):
        if argument.strip():
            raise gdb.GdbError("regs16 takes no arguments.")
        try:
            frame = gdb.selected_frame()
        except gdb.error:
            raise gdb.GdbError("The program has no registers now.")
        if not server.is_stepvisor():
            raise server.ServerError("No Stepvisor is connected.")

        def word(name):
            return int(frame.read_register(name)) & 0xFFFF

        def words(names):
            return "  ".join("%s=%04X" % (name.upper(), word(name)) for name in names.split())

        wide = frame.architecture().name() == "i386:x86-64"
        ip, sp = word("rip" if wide else "eip"), word("rsp" if wide else "esp")
        if frame.architecture().name() == "i8086":
            ip = word("ip")
        elif not wide:
            ip = int(frame.read_register("eip")) - int(frame.read_register("cs_base")) & 0xFFFF
        flags = int(frame.read_register("eflags"))
        low = {name: word(("r" if wide else "e") + name) for name in ("bp", "si", "di")}
        ax, bx, cx, dx = (word(name) for name in ("ax", "bx", "cx", "dx"))
        gdb.write("AX=%04X  BX=%04X  CX=%04X  DX=%04X" % (ax, bx, cx, dx))
        gdb.write("  SI=%04X  DI=%04X  BP=%04X  SP=%04X\n" % (low["si"], low["di"], low["bp"], sp))
        gdb.write("%s  %s\n" % (words("cs ds es ss fs gs"), frame.read_register("mode")))
        pairs = [("CS:IP", "cs", ip), ("SS:SP", "ss", sp), ("SS:BP", "ss", low["bp"])]
        pairs += [("DS:SI", "ds", low["si"]), ("ES:DI", "es", low["di"])]
        text = "  ".join("%s=%04X:%04X" % (label, word(seg), off) for label, seg, off in pairs)
        gdb.write(text + "\n")
        names = [name for bit, name in FLAGS if flags >> bit & 1]
        gdb.write("FLAGS=%04X  %s\n" % (flags & 0xFFFF, " ".join(names) or "none set"))


class Overview(Command):
    """List the commands and functions that Stepvisor adds to gdb.
Usage: stepvisor

`help NAME` explains each."""

    name = "stepvisor"
    kind = gdb.COMMAND_SUPPORT

    def invoke(self, argument, from_tty):
        if argument.strip():
            raise gdb.GdbError("stepvisor takes no arguments.")
        for command in COMMANDS:
            title = command.__doc__.splitlines()[0]
            if issubclass(command, gdb.Command):
                title = "%s -- %s" % (command.name, title)
            gdb.write(title + "\n")
        gdb.write("set stepvisor-prompt on -- Show CS:IP and the processor's mode in the prompt.\n")


COMMANDS = [
    Overview,
    BreakFar,
    TbreakFar,
    BreakInt,
    BreakIn,
    BreakOut,
    BreakIo,
    BreakMode,
    BreakList,
    BreakDelete,
    Ivt,
    Idt,
    Gdt,
    Stack,
    Screen,
    DumpScreen,
    Regs16,
    SegOff,
    Linear,
]


def load():
    """Defines all commands and functions, anew if they were defined before."""
    for command in COMMANDS:
        command()

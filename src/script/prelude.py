"""Executes the script of a test inside gdb, line by line, and reports what came of it.

Gets its task from the file in $STEPVISOR_TASK. What concerns the machine itself is asked of the server by
`monitor stepvisor-test`, so that header and script are judged by the same code.
"""

import json
import os
import re

import gdb


class Ending(Exception):
    """The script is over: something failed that has been reported, or `quit` was met."""


class Failure(Exception):
    """An assertion does not hold."""

    def __init__(self, text, expected=None, found=None, told=False):
        super().__init__(text)
        self.text, self.expected, self.found = text, expected, found
        self.told = told  # the server knows all about it


with open(os.environ["STEPVISOR_TASK"], encoding="utf-8") as file:
    TASK = json.load(file)
EVENTS = open(TASK["events"], "w", encoding="utf-8", buffering=1)
CHECKS = tuple(TASK["checks"])
# Of a breakpoint's commands the last one, which resumes; it must be gdb's own to see.
RESUMING = set(
    "c cont continue fg s step si stepi n next ni nexti fin finish u until advance j jump r run start starti"
    " rc rs rsi rn rni kill k detach disconnect target".split()
)
FLOW = {"if", "while", "else", "end", "silent", "loop_break", "loop_continue"}


def report(**event):
    EVENTS.write(json.dumps(event) + "\n")


class State:
    """What is known of the script while it runs."""

    line = 0  # the line that is being executed
    block = None  # the first line of the block it belongs to
    stopped = False  # the guest has stopped since the server was asked for it last
    asserted = set()  # lines of assertions that were executed
    reached = []  # counters, see Counter
    failed = None  # (line, exception) of what failed in a place from where nothing gets out


def ask(request):
    """The server's answer, without the newline."""
    return gdb.execute(f"monitor stepvisor-test {request}", to_string=True).rstrip("\n")


class Counter(gdb.Breakpoint):
    """Counts how often a place is reached, without stopping."""

    def __init__(self, line, location, least, most, text):
        super().__init__(location, internal=True)
        if self.pending:
            self.delete()
            raise gdb.GdbError(f"there is no `{location}`")
        self.line, self.least, self.most, self.text = line, least, most, text
        self.hits = 0

    def stop(self):
        self.hits += 1
        return False

    def judge(self):
        most = float("inf") if self.most is None else self.most
        if self.least <= self.hits <= most:
            return None
        if self.most is None:
            expected = f"at least {times(self.least)}"
        elif self.least == self.most:
            expected = "never" if self.most == 0 else times(self.most)
        else:
            expected = f"at most {times(self.most)}"
        found = times(self.hits) if self.hits else "never"
        return Failure(self.text, expected, found)


def times(number):
    return "once" if number == 1 else f"{number} times"


def count_of(text):
    """(least, most) of `3`, `at least 3`, `at most 3`."""
    match = re.fullmatch(r"(?:(at least|at most) +)?(\d+|0x[0-9a-fA-F]+)", text.strip())
    if not match:
        raise gdb.GdbError(f"`{text}` is no number of times such as 3, at least 3 or at most 3")
    number = int(match[2], 0)
    return {"at least": (number, None), "at most": (0, number), None: (number, number)}[match[1]]


def split(text):
    """Key and value at the first colon with a blank behind it."""
    key, colon, value = text.partition(": ")
    if not colon and text.endswith(":"):
        key, value = text[:-1], ""
    return key.strip(), value.strip()


def assert_reached(text, line):
    location, value = split(text) if ": " in text else (text, "at least 1")
    if location.startswith("never "):
        raise gdb.GdbError("write `assert never reached LOCATION`")
    least, most = count_of(value)
    State.reached.append(Counter(line, location.strip(), least, most, f"assert reached {text}"))


def assert_check(text, line):
    key, value = split(text)
    words = key.split(None, 1)
    if words[0] in ("memory", "string") and len(words) == 2:
        try:
            address = int(evaluate(words[1]).cast(gdb.lookup_type("unsigned long long")))
        except gdb.error:
            if not re.fullmatch(r"[0-9a-fA-F]+:[0-9a-fA-F]+", words[1]):
                raise
            key = f"{words[0]} {words[1]}"
        else:
            key = f"{words[0]} {address:#x}"
    answer = ask(f"check {line} {key}: {value}")
    if answer.startswith("error "):
        raise gdb.GdbError(answer.removeprefix("error "))
    if answer != "ok":
        raise Failure(f"assert {text}", told=True)


COMPARISON = re.compile(r"(==|!=|<=|>=|<(?!<)|>(?!>))")
LITERAL = re.compile(r"""\"(?:\\.|[^"\\])*\"|'(?:\\.|[^'\\])*'""")
ASSIGNMENT = re.compile(r"<<=|>>=|(?<![=!<>])=(?!=)|\+\+|--")
# The registers of 8 and 16 bits, which are signed numbers to gdb.
NARROW = re.compile(r"\$(?:([abcd][lh]|sil|dil|bpl|spl|r\d+l)|([abcd]x|si|di|bp|r\d+w))\b")


def evaluate(text):
    """The value of an expression in which registers of 8 and 16 bits are unsigned, as all others are to those who
    write their values in hexadecimal: with gdb's own types `$ax == 0xaa55` never holds."""

    def unsigned(match):
        bits = 8 if match[1] else 16
        name = match[0][1:]
        kind = gdb.selected_inferior().architecture().integer_type(bits, False)
        gdb.set_convenience_variable(f"_unsigned_{name}", gdb.parse_and_eval(match[0]).cast(kind))
        return f"$_unsigned_{name}"

    return gdb.parse_and_eval(NARROW.sub(unsigned, text))


def assert_expression(text):
    if ASSIGNMENT.search(LITERAL.sub("", text)):
        raise gdb.GdbError("an assertion changes nothing: `=` assigns, `==` compares")
    if evaluate(text):
        return
    expected, found = "true", "false"
    parts = [part for part in COMPARISON.split(text)]
    if len(parts) == 3 and not re.search(r"&&|\|\||\?", text) and "->" not in text:
        try:
            left, right = (evaluate(part) for part in (parts[0], parts[2]))
            expected = f"{parts[0].strip()} {parts[1]} {shown(right)}"
            found = f"{parts[0].strip()} is {shown(left)}"
        except gdb.error:
            pass
    raise Failure(f"assert {text}", expected, found)


def shown(value):
    """A number in both notations; anything else as gdb prints it."""
    try:
        if value.type.strip_typedefs().code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_CHAR):
            number = int(value)
            return f"{number} ({number & 0xFFFFFFFFFFFFFFFF:#x})"
    except (gdb.error, ValueError):
        pass
    return str(value)


class Assert(gdb.Command):
    """Fails the test unless something is so.

assert EXPRESSION              an expression of gdb's, such as $ax == 5; registers of 8 and 16 bits are unsigned
assert reached LOCATION        the location is reached before the script ends;
assert reached LOCATION: 3     so many times (also: at least 3, at most 3)
assert never reached LOCATION  it is not
assert hits NUMBER: 3          the breakpoint with this number has been hit so many times
assert screen contains: TEXT   and all else that the header of a test can assert: screen row N, screen file,
                               console, writes port N, register, memory ADDRESS, string ADDRESS, ends, ...
                               An ADDRESS may be an expression here."""

    def __init__(self):
        super().__init__("assert", gdb.COMMAND_USER, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _from_tty):
        text = argument.strip()
        line = State.line
        State.asserted.add(line)
        if not text:
            raise gdb.GdbError("assert what? See `help assert`")
        if text.startswith("reached "):
            assert_reached(text.removeprefix("reached ").strip(), line)
        elif text.startswith("never reached "):
            location = text.removeprefix("never reached ").strip()
            State.reached.append(Counter(line, location, 0, 0, f"assert {text}"))
        elif match := re.match(r"hits +(\d+) *: *(.*)", text):
            self.hits(int(match[1]), match[2], text)
        elif is_check(text):
            assert_check(text, line)
        else:
            assert_expression(text)

    @staticmethod
    def hits(number, value, text):
        least, most = count_of(value)
        found = [point for point in gdb.breakpoints() if point.number == number]
        if not found:
            raise gdb.GdbError(f"there is no breakpoint {number}")
        hits = found[0].hit_count
        if hits < least or most is not None and hits > most:
            raise Failure(f"assert {text}", value, str(hits))


def is_check(text):
    key, _ = split(text)
    return (": " in text or text.endswith(":")) and key.split(" ")[0] in CHECKS


class Fails(gdb.Command):
    """Fails the test unless a command fails: fails COMMAND. The command's message is printed."""

    def __init__(self):
        super().__init__("fails", gdb.COMMAND_USER)

    def invoke(self, argument, _from_tty):
        State.asserted.add(State.line)
        try:
            gdb.execute(argument)
        except gdb.error as error:
            gdb.write(f"{error}\n")
            return
        raise Failure(f"fails {argument}", "an error of gdb's", "the command succeeds")


class Maybe(gdb.Command):
    """Executes a command that need not be reached: maybe COMMAND. An assertion that is never executed fails the
test; one behind `maybe`, in the branch of an `if` for example, does not."""

    def __init__(self):
        super().__init__("maybe", gdb.COMMAND_USER)

    def invoke(self, argument, _from_tty):
        gdb.execute(argument)


class Line(gdb.Command):
    """Executes a command of a block as line N of the script: _line N COMMAND."""

    def __init__(self):
        super().__init__("_line", gdb.COMMAND_MAINTENANCE)

    def invoke(self, argument, _from_tty):
        number, _, command = argument.partition(" ")
        State.line = int(number)
        try:
            gdb.execute(command)
        except (gdb.error, RuntimeError, gdb.GdbError) as error:
            # A breakpoint's commands are executed where errors are printed and forgotten.
            if State.failed is None and not TASK["errors_are_shown"]:
                State.failed = (State.line, LAST.take(error))
            raise


class Last:
    """The failure behind the last error: gdb makes an error of its own of every exception."""

    failure = None

    def take(self, error):
        failure, self.failure = self.failure, None
        return failure or error


LAST = Last()


def keeping(command):
    """Lets a command's Failure through gdb, which knows nothing of it."""
    invoke = command.invoke

    def wrapped(argument, from_tty):
        try:
            invoke(argument, from_tty)
        except Failure as failure:
            LAST.failure = failure
            raise gdb.GdbError(failure.text) from None
        except gdb.error as error:
            # Without gdb's line about an exception in Python.
            raise gdb.GdbError(str(error)) from None

    command.invoke = wrapped


for command in (Assert(), Fails(), Maybe(), Line()):
    keeping(command)


def word(line):
    """The command's name, as it was typed."""
    match = re.match(r"[A-Za-z_-]+", line.strip())
    return match[0] if match else ""


def opens_block(line):
    """Whether the lines that follow belong to this one, and how: "gdb" or "raw"."""
    name, _, rest = line.strip().partition(" ")
    name = name.split("/")[0]
    if name in ("if", "while", "define", "commands") or name.startswith("comm") and "commands".startswith(name):
        return "gdb"
    if name == "document":
        return "raw"
    if name in ("python", "py", "guile", "gu") and not rest.strip():
        return "raw"
    return None


def is_assertion(line):
    return word(line) in ("assert", "fails")


def tagged(number, line):
    """A line of a block, told its number."""
    text = line.strip()
    name = word(text)
    if not text or text.startswith("#") or name in FLOW or name in RESUMING or opens_block(text):
        return text
    return f"_line {number} {text}"


def units(lines):
    """Commands of the script: (number, lines to show, text to execute, numbers of assertions in it)."""
    at = 0
    while at < len(lines):
        number, line = lines[at]
        at += 1
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        while text.endswith("\\") and at < len(lines):
            text = text[:-1] + lines[at][1].strip()
            at += 1
        kind = opens_block(text)
        assertions = [number] if is_assertion(text) else []
        if kind is None:
            yield number, [text], text, assertions
            continue
        shown, body, kinds = [text], [text], [kind]
        while kinds:
            if at == len(lines):
                report(event="fail", verdict="gdb error", line=number, text=f"`{text}` has no `end`")
                raise Ending
            inner_number, inner = lines[at]
            at += 1
            shown.append(inner.rstrip())
            stripped = inner.strip()
            if stripped == "end":
                kinds.pop()
                body.append("end")
            elif kinds[-1] == "raw":
                body.append(inner)
            else:
                if is_assertion(stripped):
                    assertions.append(inner_number)
                if inner_kind := opens_block(stripped):
                    kinds.append(inner_kind)
                body.append(tagged(inner_number, inner))
        yield number, shown, "\n".join(body), assertions


def on_stop(_event):
    State.stopped = True


def fail(line, error, shown):
    """Reports what is wrong, and ends the script."""
    verdict, text, expected, found = "gdb error", str(error), None, None
    if isinstance(error, Failure):
        verdict, text = "failed", error.text
        expected, found = error.expected, error.found
        if error.told:
            raise Ending
    else:
        text = f"`{shown}`: {text}"
    try:
        ask("scene")
    except (gdb.error, RuntimeError):
        pass  # the guest is gone
    report(event="fail", verdict=verdict, line=line, text=text, expected=expected, found=found)
    raise Ending


def look_at_stop():
    """Asks whether the guest has come to an end that it should not."""
    if not State.stopped:
        return
    State.stopped = False
    try:
        answer = ask(f"stopped {State.block}")
    except (gdb.error, RuntimeError):
        return
    if answer == "end":
        raise Ending


def is_quit(text):
    return word(text) in ("quit", "q", "exit")


def execute(number, shown, text):
    State.line = State.block = number
    report(event="line", line=number)
    for line in shown:
        gdb.write(f"+{line}\n")
    if is_quit(text):
        return False
    try:
        # As if it were typed: gdb then tells what it does.
        gdb.execute(text, True)
    except (gdb.error, RuntimeError, gdb.GdbError) as error:
        if TASK["errors_are_shown"] and LAST.failure is None:
            gdb.write(f"{error}\n")
        else:
            failed, State.failed = State.failed, None
            line, reason = failed if failed else (State.line, LAST.take(error))
            gdb.write(f"{reason}\n")
            fail(line, reason, source(line, shown))
    if State.failed:
        line, reason = State.failed
        fail(line, reason, source(line, shown))
    gdb.flush()
    look_at_stop()
    return True


def source(line, shown):
    found = [text for number, text in TASK["lines"] if number == line]
    return found[0].strip() if found else shown[0]


def finish():
    """After the last line: the guest runs to its end if that is expected, and the header is judged."""
    for _ in range(1000):
        try:
            answer = ask("finish")
        except (gdb.error, RuntimeError):
            return  # no guest any more; the runner judges what it was
        if answer != "continue":
            return
        for point in gdb.breakpoints():
            if not isinstance(point, Counter):
                point.enabled = False
        gdb.execute("continue")
        look_at_stop()


def play():
    pending = []
    for number, shown, text, assertions in units(TASK["lines"]):
        pending.append((number, shown, text, assertions))
    gdb.events.stop.connect(on_stop)
    gdb.events.exited.connect(on_stop)
    for number, shown, text, _ in pending:
        if not execute(number, shown, text):
            break
    finish()
    judge_counters()
    missed = sorted({line for *_, lines in pending for line in lines} - State.asserted)
    if missed:
        try:
            ask("scene")
        except (gdb.error, RuntimeError):
            pass
        for line in missed[:1]:
            more = f" (nor those in {listed(missed[1:])})" if missed[1:] else ""
            text = f"`{source(line, [''])}` has not been executed{more}"
            report(event="fail", verdict="not reached", line=line, text=text)
        raise Ending
    if TASK["must_assert"] and not State.asserted:
        report(event="fail", verdict="no assertion", line=0, text="")
        raise Ending


def listed(lines):
    text = ", ".join(str(line) for line in lines)
    return f"line {text}" if len(lines) == 1 else f"lines {text}"


def judge_counters():
    for counter in State.reached:
        failure = counter.judge()
        if failure:
            fail(counter.line, failure, counter.text)


try:
    play()
except Ending:
    pass
except (gdb.error, RuntimeError) as error:
    report(event="fail", verdict="gdb error", line=State.line, text=str(error))
report(event="end")
try:
    # gdb would let the guest go on.
    gdb.execute("kill", to_string=True)
except (gdb.error, RuntimeError):
    pass
EVENTS.close()

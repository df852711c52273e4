"""The other end of the connection: questions to a Stepvisor, and what it answers to `monitor` commands.

Within an unwinder there are few ways to ask. Python's `send_packet` drops the frames that gdb is about to make.
`gdb.execute` carries out the commands of the breakpoint that was hit, if gdb has yet to do that; so it will do
while the guest counts as running only, which it does as long as gdb has not told the user of the stop: through
all of a `next`. What can be asked at any time is for a search of memory, and a Stepvisor takes one for a question
as such; it answers by eight bytes at a time.

Answers about frames are kept until the guest runs on or something in it is changed, so that gdb, which makes its
frames anew several times a stop, asks once a frame.
"""

import gdb

# Answers to questions about frames, by question.
_callers = {}
# What the connections that were tried turned out to be, by number.
_known = {}


class ServerError(gdb.GdbError):
    """What a command prints when the target is none of ours."""


def output_of(command):
    """What gdb prints for `command`."""
    text = gdb.execute(command, to_string=True)
    if gdb.parameter("trace-commands"):
        # The command itself is in front.
        text = text.partition("\n")[2]
    return text


def _monitor(command):
    return output_of("monitor " + command)


def _search(question):
    """The answer to a question of ours, by way of a search; empty where that finds nothing."""
    answer = b""
    while b"\n" not in answer:
        pattern = ("gdb-script %s @%d" % (question, len(answer) // 8)).encode()
        found = gdb.selected_inferior().search_memory(0, len(pattern), pattern)
        if found is None:
            return ""
        answer += found.to_bytes(8, "little")
    return answer.rstrip(b"\0").decode("ascii", "replace").strip()


def _ask(question, put=_search):
    """The answer to a question of ours, a line; ServerError with what is wrong."""
    if not is_stepvisor():
        raise ServerError("No Stepvisor is connected.")
    answer = put(question)
    if answer.startswith("error: "):
        reason = answer[len("error: ") :]
        # Names in it stay as they are.
        raise ServerError("%s%s." % (reason[:1].upper(), reason[1:]))
    if not answer and put is _search:
        raise ServerError("The server does not answer.")
    return answer


def _by_monitor(question):
    return _monitor("gdb-script " + question).strip()


def is_stepvisor():
    """Whether the target is a server that knows our questions."""
    connection = gdb.selected_inferior().connection
    if connection is None or connection.type not in ("remote", "extended-remote"):
        return False
    if connection.num not in _known:
        try:
            _known[connection.num] = _search("version").startswith("stepvisor ")
        except gdb.error:
            _known[connection.num] = False
    return _known[connection.num]


def caller(request):
    """The caller of the frame that `request` describes, as the server words it."""
    if request not in _callers:
        thread = gdb.selected_thread()
        running = thread is not None and thread.is_running()
        _callers[request] = _ask("caller " + request, _by_monitor if running else _search)
    return _callers[request]


def monitor(command):
    """What the server answers to `monitor COMMAND`."""
    if not is_stepvisor():
        raise ServerError("No Stepvisor is connected.")
    return _monitor(command)


def linear(selector, offset):
    """The linear address of a pair in the present mode."""
    return int(_ask("linear %x;%x" % (selector, offset)), 16)


def screen(form):
    """The screen as a file of the format `form`, png or txt."""
    return bytes.fromhex(_ask("screen " + form, _by_monitor))


def forget(_event=None):
    """Drops what is known of the guest's memory."""
    _callers.clear()


def _forget_connection(event):
    forget()
    _known.pop(event.connection.num, None)


_EVENTS = [
    (gdb.events.cont, forget),
    (gdb.events.memory_changed, forget),
    (gdb.events.register_changed, forget),
    (gdb.events.connection_removed, _forget_connection),
]


def load():
    """Listens to what makes answers stale."""
    for registry, callback in _EVENTS:
        registry.connect(callback)


def unload():
    """Stops listening."""
    for registry, callback in _EVENTS:
        registry.disconnect(callback)

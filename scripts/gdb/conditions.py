"""Conditions that gdb would hand to the server with another meaning than their text has.

gdb compiles conditions for a server that evaluates them. Of a label that it knows as code without debug
information (assemblers have their data there, too) it compiles `&label` to what is stored at the label; right
is `{TYPE}&label`, and what gdb evaluates by itself. A server cannot tell such a condition from a right one.
"""

import re

import gdb

from stepvisor import server

# `&label` with the label in quotes or parentheses perhaps; `&&` and `{TYPE}&label` match without a name.
_ADDRESS = re.compile(r"&&|\}\s*&|&[\s(]*(?:::\s*)?(?:'([^']+)'|([A-Za-z_.][\w.$]*))")
_SETTING = "breakpoint condition-evaluation"


def _is_code_without_type(name):
    """Whether gdb knows the label `name`, and nothing of it but that it is in code."""
    try:
        kind = gdb.parse_and_eval("'%s'" % name).type
    except gdb.error:
        return False
    return kind.code == gdb.TYPE_CODE_FUNC and "no debug info" in (kind.name or "")


def _label(condition):
    """The first label in `condition` whose address gdb would compile wrongly."""
    names = (match.group(1) or match.group(2) for match in _ADDRESS.finditer(condition))
    return next((name for name in names if name and _is_code_without_type(name)), None)


def _check(breakpoint):
    """Has gdb evaluate conditions itself, from the first on that it would hand over wrongly."""
    if breakpoint.type not in (gdb.BP_BREAKPOINT, gdb.BP_HARDWARE_BREAKPOINT) or not breakpoint.condition:
        return
    if gdb.parameter(_SETTING) == "host":
        return
    name = _label(breakpoint.condition)
    if name is None or (gdb.selected_inferior().connection is not None and not server.is_stepvisor()):
        return
    gdb.execute("set %s host" % _SETTING)
    gdb.write(
        "stepvisor: gdb compiles `&%s` wrongly for the server, so it evaluates conditions itself from now on"
        " (the server can evaluate `{short}&%s`)\n" % (name, name)
    )


_EVENTS = [gdb.events.breakpoint_created, gdb.events.breakpoint_modified]


def load():
    """Looks at each condition that is set."""
    for registry in _EVENTS:
        registry.connect(_check)


def unload():
    """Looks no longer."""
    for registry in _EVENTS:
        registry.disconnect(_check)

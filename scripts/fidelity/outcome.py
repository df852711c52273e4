"""What a boot image leaves behind, in either machine; and how it is kept in a file.

Endings, by `stepvisor test`'s words where it has them: `halt` (HLT, interrupts disabled), `wait` (HLT in the
guest's code, interrupts enabled), `key` (in the firmware, which waits for a key), `loop` (a jump to itself),
`runs`, `reset`, `triple-fault`, `power-off`, `exit N`, `int18`, `int19`, `returned` (to the firmware), `refused` (an
instruction that the host's KVM cannot run), `nowhere` (it jumped to where there is no memory).
"""

import base64
import json
import zlib
from dataclasses import asdict, dataclass, field


@dataclass
class Screen:
    """Text: `cells` has a character and an attribute each, row by row. Graphics: three bytes a pixel."""

    kind: str
    width: int
    height: int
    cells: bytes
    cursor: list | None = None

    def unit(self):
        return 2 if self.kind == "text" else 3

    def lines(self):
        """The text, without what is blank at the ends."""
        if self.kind != "text":
            return [f"graphics, {self.width}x{self.height}"]
        rows = []
        for y in range(self.height):
            row = self.cells[2 * y * self.width : 2 * (y + 1) * self.width : 2]
            rows.append("".join(chr(byte) if 32 <= byte < 127 else "." if byte else " " for byte in row).rstrip())
        while rows and not rows[-1]:
            rows.pop()
        return rows


@dataclass
class Outcome:
    """The state at the end."""

    ending: str
    location: str
    registers: dict
    screens: list  # the last of which is the final one
    bda: bytes  # 0400h-04FFh
    serial: bytes
    debug: bytes
    notes: list = field(default_factory=list)
    earlier: list = field(default_factory=list)  # screens since the last key that changed what it found

    @property
    def screen(self):
        return self.screens[-1] if self.screens else None

    def place(self):
        """CS and the instruction pointer."""
        return [int(part, 16) for part in self.location.split(":")]

    def moves(self):
        """Whether the screen changed while nothing was typed."""
        first = self.screens[0] if self.screens else None
        return any((screen.kind, screen.width, screen.cells) != (first.kind, first.width, first.cells) for screen in self.screens)

    def write(self, path):
        path.write_text(json.dumps(asdict(self), default=pack))

    @classmethod
    def read(cls, path):
        data = json.loads(path.read_text())
        for name in ["bda", "serial", "debug"]:
            data[name] = unpack(data[name])
        for name in ["screens", "earlier"]:
            data[name] = [Screen(**{**screen, "cells": unpack(screen["cells"])}) for screen in data.get(name, [])]
        return cls(**data)


def pack(data):
    return base64.b64encode(zlib.compress(data)).decode()


def unpack(text):
    return zlib.decompress(base64.b64decode(text))

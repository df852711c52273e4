"""QEMU's machine protocol on a unix socket; see docs/interop/qmp-spec.txt of QEMU."""

import json
import socket


class Gone(Exception):
    """QEMU has ended."""


class Refused(Exception):
    """QEMU cannot do what was asked, as things are."""


class Monitor:
    """A connection; events that arrive between answers are kept in `events`."""

    @classmethod
    def connect(cls, path):
        """None while nobody listens there."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            return None
        return cls(connection)

    def __init__(self, connection):
        self.socket = connection
        self.lines = self.socket.makefile("r")
        self.events = []
        self.receive()
        self.ask("qmp_capabilities")

    def receive(self):
        try:
            line = self.lines.readline()
        except OSError:
            line = ""
        if not line:
            raise Gone
        return json.loads(line)

    def ask(self, command, **arguments):
        request = {"execute": command, "arguments": arguments}
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            raise Gone from None
        while True:
            answer = self.receive()
            if "error" in answer:
                raise Refused(f"QEMU refuses {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
            self.events.append(answer)

    def human(self, line):
        return self.ask("human-monitor-command", **{"command-line": line})

    def close(self):
        self.lines.close()
        self.socket.close()

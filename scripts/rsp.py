"""A small client of gdb's remote serial protocol, on a plain socket.

It knows packets, acknowledgements and the few requests that measuring needs; see "Remote Protocol" in
the gdb manual. Anything unexpected raises an exception.
"""

import re
import socket


class Remote:
    """A connection to a stub, without acknowledgements from the second packet on.

    The address is a host and a port, or the path of a unix socket.
    """

    def __init__(self, address, timeout=20):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.acknowledge = True
        features = self.request(b"qSupported:swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386")
        size = re.search(rb"PacketSize=([0-9a-f]+)", features)
        self.packet_size = int(size[1], 16) if size else 400
        if self.request(b"QStartNoAckMode") == b"OK":
            self.acknowledge = False
        # Some stubs allow single registers only to clients that have read the description.
        self.request(b"qXfer:features:read:target.xml:0,%x" % min(self.packet_size - 5, 0xFFB))

    def close(self):
        self.socket.close()

    def request(self, payload):
        """Sends a packet and returns the reply, console output skipped."""
        self.send(payload)
        while True:
            reply = self.receive()
            if payload.startswith((b"vCont;", b"qRcmd,")) and re.match(rb"O[0-9a-f]", reply):
                continue
            return reply

    def send(self, payload):
        self.socket.sendall(b"$%s#%02x" % (payload, sum(payload) & 0xFF))

    def receive(self):
        """The next packet's payload, run lengths expanded."""
        while (match := re.search(rb"\$([^#]*)#([0-9a-f]{2})", self.buffer)) is None:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError(f"the stub closed the connection after {self.buffer!r}")
            self.buffer += data
        self.buffer = self.buffer[match.end() :]
        payload = match[1]
        if sum(payload) & 0xFF != int(match[2], 16):
            raise ValueError(f"bad checksum: {match[0]!r}")
        if self.acknowledge:
            self.socket.sendall(b"+")
        if b"*" not in payload:
            return payload
        return re.sub(rb"(.)\*(.)", lambda run: run[1] * (run[2][0] - 28), payload, flags=re.DOTALL)

    def checked(self, payload, expected):
        """A request whose reply must match the regular expression `expected`."""
        reply = self.request(payload)
        if not re.fullmatch(expected, reply, re.DOTALL):
            raise ValueError(f"{payload[:80]!r} was answered {reply[:80]!r}")
        return reply

    def step(self):
        """One instruction."""
        self.checked(b"vCont;s:1", rb"T05.*|S05")

    def registers(self):
        """The bytes of the `g` packet."""
        return bytes.fromhex(self.checked(b"g", rb"[0-9a-fx]+").replace(b"x", b"0").decode())

    def pc(self):
        """The program counter, of a stub whose registers are those of a 32-bit x86."""
        return int.from_bytes(self.registers()[32:36], "little")

    def set_register(self, number, value):
        data = value.to_bytes(4, "little").hex().encode()
        self.checked(b"P%x=%s" % (number, data), rb"OK")

    def write_memory(self, address, data):
        self.checked(b"M%x,%x:%s" % (address, len(data), data.hex().encode()), rb"OK")

    def read_memory(self, address, length):
        """Reads in packets as large as the stub allows."""
        most = (self.packet_size - 4) // 2
        data = b""
        while len(data) < length:
            wanted = min(most, length - len(data))
            reply = self.request(b"m%x,%x" % (address + len(data), wanted))
            data += bytes.fromhex(reply.decode())  # which an error such as E01 is not
        return data

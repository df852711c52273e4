"""Which code has call frame information, as compilers write it: there gdb unwinds better than anybody.

gdb tells no script about that, so the sections `.eh_frame` and `.debug_frame` of the loaded object files
are read here (DWARF 5, 6.4.1, and the Linux Standard Base Core, 10.6). 16-bit code is never left to gdb: it
knows no far calls and no segments.
"""

import bisect
import os
import struct
import zlib

import gdb

# Ranges of a file, sorted, by name and time of change.
_files = {}

SHF_COMPRESSED = 0x800
SHT_NOBITS = 8


def describes(pc, architecture):
    """Whether `pc` is in code that gdb can unwind by itself."""
    if architecture == "i8086":
        return False
    return any(_contains(_ranges(objfile), pc) for objfile in gdb.objfiles())


def _contains(ranges, pc):
    at = bisect.bisect_right(ranges, (pc, float("inf"))) - 1
    return at >= 0 and pc < ranges[at][1]


def _ranges(objfile):
    name = objfile.filename
    try:
        key = (name, os.stat(name).st_mtime_ns) if name else None
    except OSError:
        key = None
    if key is None:
        return []
    if key not in _files:
        try:
            with open(name, "rb") as file:
                _files[key] = sorted(_read(file.read()))
        except (OSError, struct.error, ValueError, IndexError, zlib.error):
            # None of ours, or damaged: gdb has said so.
            _files[key] = []
    return _files[key]


def _read(data):
    """The ranges of code that the ELF file `data` describes."""
    if data[:4] != b"\x7fELF" or data[5] != 1:
        return
    wide = data[4] == 2
    word = "Q" if wide else "I"
    offset = struct.unpack_from("<Q" if wide else "<I", data, 0x28 if wide else 0x20)[0]
    size, count, names = struct.unpack_from("<HHH", data, 0x3A if wide else 0x2E)
    headers = []
    for n in range(count):
        at = offset + n * size
        name, kind = struct.unpack_from("<II", data, at)
        headers.append((name, kind) + struct.unpack_from("<4" + word, data, at + 8))
    if names >= len(headers):
        return
    table = headers[names][4]
    for name, kind, flags, addr, at, length in headers:
        start = table + name
        text = data[start : data.index(b"\0", start)]
        if text not in (b".eh_frame", b".debug_frame") or kind == SHT_NOBITS:
            continue
        content = data[at : at + length]
        if flags & SHF_COMPRESSED:
            content = zlib.decompress(content[24 if wide else 12 :])
        yield from _entries(content, addr, text == b".eh_frame", 8 if wide else 4)


def _entries(data, addr, eh_frame, width):
    """The range of each frame description entry."""
    encodings = {}
    at = 0
    while at + 4 <= len(data):
        length, start, id_size = struct.unpack_from("<I", data, at)[0], at + 4, 4
        if length == 0:
            at += 4  # the end of one file's part
            continue
        if length == 0xFFFFFFFF:
            length, start, id_size = struct.unpack_from("<Q", data, at + 4)[0], at + 12, 8
        ident = int.from_bytes(data[start : start + id_size], "little")
        body = start + id_size
        common = 0 if eh_frame else (1 << 8 * id_size) - 1
        if ident == common:
            encodings[at] = _encoding(data, body)
        else:
            cie = start - ident if eh_frame else ident
            encoding = encodings.get(cie, 0)
            low, body = _pointer(data, body, addr, encoding, width)
            # The length has the pointer's size, and is relative to nothing.
            count, _ = _pointer(data, body, addr, encoding & 0xF, width)
            if low is not None and count:
                yield (low, low + count)
        at = start + length


def _encoding(data, at):
    """How the entries of the common information entry with its version at `at` write addresses."""
    end = data.index(b"\0", at + 1)
    augmentation = data[at + 1 : end].decode("ascii")
    if not augmentation.startswith("z"):
        return 0
    at = end + 1
    for _ in range(4):  # both alignment factors, the return address register, the length of what follows
        while data[at] & 0x80:
            at += 1
        at += 1
    for letter in augmentation[1:]:
        if letter == "R":
            return data[at]
        if letter == "P":
            _, at = _pointer(data, at + 1, 0, data[at], 8)
        elif letter == "L":
            at += 1
    return 0


def _pointer(data, at, addr, encoding, width):
    """An encoded address, nothing if that is relative to something unknown, and what is behind it."""
    size, signed = {
        0x0: (width, False),
        0x2: (2, False),
        0x3: (4, False),
        0x4: (8, False),
        0xA: (2, True),
        0xB: (4, True),
        0xC: (8, True),
    }.get(encoding & 0xF, (width, False))
    value = int.from_bytes(data[at : at + size], "little", signed=signed)
    relative = encoding & 0x70
    if relative == 0x10:
        value += addr + at
    elif relative:
        return None, at + size
    return value & (1 << 8 * width) - 1, at + size

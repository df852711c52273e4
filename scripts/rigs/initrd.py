#!/usr/bin/env python3
"""Writes an initial file system for Linux: initrd.py OUT NAME=FILE...

The format is the kernel's own, "newc" (Documentation/driver-api/early-userspace/buffer-format.rst), not
compressed: an emulated processor would take longer to unpack than to load it. All files are executable.
"""

import sys

DIRECTORY, FILE, DEVICE = 0o040755, 0o100755, 0o020600


def entry(inode, name, mode, data=b"", device=(0, 0)):
    name = name.encode() + b"\0"
    fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def main():
    out, *pairs = sys.argv[1:]
    entries = [(name, DIRECTORY, b"", (0, 0)) for name in ("bin", "dev", "proc", "sys", "tmp")]
    # Without it, init has no output before it has mounted /dev.
    entries.append(("dev/console", DEVICE, b"", (5, 1)))
    for pair in pairs:
        name, path = pair.split("=", 1)
        with open(path, "rb") as file:
            entries.append((name, FILE, file.read(), (0, 0)))
    with open(out, "wb") as file:
        for inode, (name, mode, data, device) in enumerate(entries, 1):
            file.write(entry(inode, name, mode, data, device))
        file.write(entry(0, "TRAILER!!!", 0))


main()

"""Pictures: PPM from QEMU, PNG from Stepvisor, and what differs between two."""

import struct
import zlib


def read_ppm(data):
    """Width, height and rows of pixels, three bytes each."""
    magic, size, most, pixels = data.split(b"\n", 3)
    if (magic, most) != (b"P6", b"255"):
        raise SystemExit("QEMU's picture is no PPM of 8 bits")
    width, height = map(int, size.split())
    return width, height, [pixels[y * width * 3 : (y + 1) * width * 3] for y in range(height)]


def read_png(data):
    """The same of a PNG of 8 bits with a palette, or of 8 bits a component."""
    at, palette, packed = 8, b"", b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        at += 12 + length
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert depth == 8 and colour in (2, 3), "not a PNG of Stepvisor's"
        elif kind == b"PLTE":
            palette = body
        elif kind == b"IDAT":
            packed += body
    size = 3 if colour == 2 else 1
    length = width * size
    lines, rows, above = zlib.decompress(packed), [], bytes(length)
    for y in range(height):
        line = lines[y * (length + 1) : (y + 1) * (length + 1)]
        above = unfilter(line[0], line[1:], above, size)
        rows.append(above if size == 3 else b"".join(palette[3 * pixel : 3 * pixel + 3] for pixel in above))
    return width, height, rows


def unfilter(kind, line, above, size):
    """Undoes the filter of a PNG's line (PNG specification, 9.2), `size` bytes a pixel."""
    out = bytearray()
    for x, byte in enumerate(line):
        left, up = (out[x - size] if x >= size else 0), above[x]
        corner = above[x - size] if x >= size else 0
        guess = left + up - corner
        paeth = min((left, up, corner), key=lambda value: abs(guess - value))
        out.append((byte + [0, left, up, (left + up) // 2, paeth][kind]) & 0xFF)
    return bytes(out)


def shrunk(width, height, rows):
    """The picture with pixels and lines that QEMU doubles taken once."""
    def pairs(data, size):
        return all(data[at : at + size] == data[at + size : at + 2 * size] for at in range(0, len(data), 2 * size))

    if height % 2 == 0 and all(rows[y] == rows[y + 1] for y in range(0, height, 2)):
        rows, height = rows[::2], height // 2
    if width % 2 == 0 and all(pairs(row, 3) for row in rows):
        rows = [b"".join(row[x : x + 3] for x in range(0, len(row), 6)) for row in rows]
        width //= 2
    return width, height, rows


def same_colour(one, two):
    """A colour has 6 bits a component; the two that make it 8 are chosen by another rule."""
    return not any((a ^ b) & 0xFC for a, b in zip(one, two))


def difference(ours, theirs):
    """The first difference in words; None if there is none."""
    (width, height, rows), (wide, high, doubled) = ours, theirs
    if wide % width or high % height:
        return f"{width}x{height} pixels, and QEMU has {wide}x{high}"
    across, down = wide // width, high // height
    for y in range(height):
        for x in range(width):
            pixel = rows[y][3 * x : 3 * x + 3]
            at = 3 * x * across
            other = doubled[y * down][at : at + 3]
            if not same_colour(pixel, other):
                return f"pixel {x},{y} is {pixel.hex()}, and {other.hex()} in QEMU"
    return None

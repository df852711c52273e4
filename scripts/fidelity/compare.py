"""What differs between two outcomes, of which the first may be several runs of the oracle."""

import collections

from .outcome import Screen
from .pictures import same_colour

# Bytes of the BIOS data area that must agree, by offset. Left out: the ports, of which QEMU has others (400h-40Fh),
# so that of the equipment word the coprocessor and the video mode are left; the keyboard buffer's contents and place
# (41Ah-43Dh), the floppy motor's ticks and the statuses (440h-441h, 474h), ticks (46Ch-470h), disks' timeouts, what
# SeaBIOS keeps for itself (4A8h and up).
BDA = {0x10: 0x32}
SMALL = [(0x13, 2), (0x17, 2), (0x3E, 2), (0x42, 7), (0x72, 2), (0x75, 1), (0x80, 4), (0x84, 6), (0x8B, 1), (0x8F, 9)]
for start, length in [*SMALL, (0x49, 0x1D)]:
    BDA |= dict.fromkeys(range(start, start + length), 0xFF)
# The cursors and their shape, which go with a screen that moves.
CURSORS = range(0x50, 0x62)

# Ways of going on for ever. Where a program is caught in a loop depends on the moment, and one whose screen moves
# may wait for a key, or for time to pass, just then.
ENDLESS = {"loop", "runs"}
MOVING = ENDLESS | {"key", "wait"}

# Of a screen that moves, the part that may show what is nowhere in the other machine.
STRANGE = 0.01


def alike(one, two, moving):
    return one == two or {one, two} <= (MOVING if moving else ENDLESS)


def is_between_waits(ours, theirs):
    """Whether the one was met in a HLT, and the other on its way round from there to the same HLT."""
    return (ours.ending, theirs.ending) == ("wait", "runs") and ours.place() == theirs.place()


def all_of(outcomes):
    """The screens of all of them; earlier ones, too, if the last ones move: one machine may be slower than the other."""
    last = [screen for outcome in outcomes for screen in outcome.screens]
    return last + [screen for outcome in outcomes for screen in outcome.earlier] if moves(outcomes) else last


def fixed(outcomes):
    """For each position of the screen whether it is the same in all of them."""
    screens = all_of(outcomes)
    first, unit = screens[0], screens[0].unit()
    steady = bytearray(b"\1") * (len(first.cells) // unit)
    for other in screens[1:]:
        if (other.kind, other.width, other.height) != (first.kind, first.width, first.height):
            return None
        if other.cells != first.cells:
            for at in range(len(steady)):
                if other.cells[at * unit : (at + 1) * unit] != first.cells[at * unit : (at + 1) * unit]:
                    steady[at] = 0
    return steady


def enlarged(screen, width, height):
    """The picture with each pixel as often as it takes; itself if that cannot be."""
    if screen.kind == "text" or width % screen.width or height % screen.height:
        return screen
    across, down, row = width // screen.width, height // screen.height, 3 * screen.width
    lines = []
    for y in range(screen.height):
        line = screen.cells[y * row : (y + 1) * row]
        wide = b"".join(line[x : x + 3] * across for x in range(0, row, 3)) if across > 1 else line
        lines += [wide] * down
    return Screen(screen.kind, width, height, b"".join(lines), screen.cursor)


def level(outcomes):
    """All pictures as large as the largest: QEMU doubles some pixels, and the kit takes doubled ones once."""
    pictures = [screen for outcome in outcomes for screen in [*outcome.screens, *outcome.earlier] if screen.kind != "text"]
    if pictures:
        width, height = max(each.width for each in pictures), max(each.height for each in pictures)
        for outcome in outcomes:
            outcome.screens = [enlarged(screen, width, height) for screen in outcome.screens]
            outcome.earlier = [enlarged(screen, width, height) for screen in outcome.earlier]


def moves(outcomes):
    """Whether the screen goes on changing, or is not the same in each."""
    return any(outcome.moves() for outcome in outcomes) or any(one.screen != outcomes[0].screen for one in outcomes)


def compare(oracle, ours):
    """A list of what differs, in words; empty if nothing does. `oracle` is a list of outcomes, `ours` too."""
    found = []
    level([*oracle, *ours])
    endings = {outcome.ending for outcome in oracle}
    moving = moves(oracle) or moves(ours) or len(endings) > 1
    if not any(alike(ours[-1].ending, each.ending, moving) or is_between_waits(ours[-1], each) for each in oracle):
        found.append(f"ending: {ours[-1].ending} at {ours[-1].location}, not {'/'.join(sorted(endings))}")
    # QEMU ends with the exit port, and nobody has seen its last screen.
    if not any(ending.startswith("exit") for ending in endings):
        found += screens(oracle, ours)
        found += data_area(oracle, ours, moving)
    for name in ["serial", "debug"]:
        wanted = {getattr(outcome, name) for outcome in oracle}
        has = getattr(ours[-1], name)
        endless = len(wanted) > 1 and any(has.startswith(text) or text.startswith(has) for text in wanted if text and has)
        if has not in wanted and not endless:
            found.append(f"{name}: {has[:60]!r}, not {min(wanted)[:60]!r}")
    return found


def verdict(differing, reasons, ours):
    """The word for what differs; `reasons` are those of what differs on purpose."""
    if not differing:
        return "on purpose" if reasons else "same"
    if any(outcome.ending == "refused" for outcome in ours):
        return "refused"
    if all(text.startswith("moving") for text in differing):
        return "moving"
    return "same screen" if all(text.startswith(("ending", "BDA")) for text in differing) else "different"


def screens(oracle, ours):
    theirs, mine = oracle[0].screen, ours[-1].screen
    if theirs is None or mine is None:
        return [] if theirs is mine else ["screen: there is none"]
    if theirs.kind != mine.kind:
        return [f"screen: {mine.kind} {mine.width}x{mine.height}, not {theirs.kind} {theirs.width}x{theirs.height}"]
    seen = all_of(oracle)
    if any(same_screen(mine, screen) for screen in seen):
        return cursors(seen, mine)
    if (mine.width, mine.height) != (theirs.width, theirs.height):
        return [f"screen: {mine.width}x{mine.height}, not {theirs.width}x{theirs.height}"]
    steady, still = fixed(oracle), fixed(ours)
    if steady is None or still is None:
        return ["moving: the mode changes"]
    moving = len(steady) - sum(a and b for a, b in zip(steady, still))
    unit, differing = mine.unit(), []
    for at in range(len(steady)):
        one, two = mine.cells[at * unit : (at + 1) * unit], theirs.cells[at * unit : (at + 1) * unit]
        if steady[at] and still[at] and not (same_colour(one, two) if unit == 3 else one == two):
            differing.append(at)
    if not differing:
        return strangers(seen, all_of(ours)) if moving else cursors(seen, mine)
    what = "moving" if moving else "screen"
    at = differing[0]
    place = f"{at // mine.width},{at % mine.width}"
    one, two = mine.cells[at * unit : (at + 1) * unit], theirs.cells[at * unit : (at + 1) * unit]
    kind = ""
    if unit == 2 and all(mine.cells[2 * at] == theirs.cells[2 * at] for at in differing):
        kind = " attributes"
    if moving and not strangers(seen, all_of(ours)):
        kind += " but the same things"
    return [f"{what}: {len(differing)} of {len(steady)}{kind}, at {place} {one.hex()}, not {two.hex()}"]


def strangers(theirs, mine):
    """What moves may be anywhere; but both show the same things, up to a small part of the screen."""
    seen, shown = values(theirs), values(mine)
    for word, one, other in [("", shown, seen), ("not ", seen, shown)]:
        strange = sorted(one.keys() - other.keys(), key=one.get)
        if sum(one[value] for value in strange) > STRANGE * one.total():
            return [f"moving: {word}{strange[-1].hex()} somewhere"]
    return []


def values(screens):
    """How often each character with its attribute is seen, or each colour."""
    unit = screens[0].unit()
    found = collections.Counter()
    for cells in {screen.cells for screen in screens if screen.unit() == unit}:
        # Colours to five bits: palettes are rounded one way or the other.
        plain = cells if unit == 2 else bytes(byte & 0xF8 for byte in cells)
        found.update(plain[at : at + unit] for at in range(0, len(plain), unit))
    return found


def same_screen(one, two):
    if (one.kind, one.width, one.height) != (two.kind, two.width, two.height):
        return False
    if one.kind == "text":
        return one.cells == two.cells
    return len(one.cells) == len(two.cells) and same_colour(one.cells, two.cells)


def cursors(seen, mine):
    if mine.kind != "text" or any(mine.cursor == screen.cursor for screen in seen):
        return []
    return [f"cursor: {mine.cursor}, not {seen[-1].cursor}"]


def data_area(oracle, ours, moving):
    found = []
    for at, mask in BDA.items():
        if moving and at in CURSORS:
            continue
        wanted = {outcome.bda[at] & mask for outcome in oracle}
        # In any of the looks: a guest that goes on may be between two calls of the firmware just then.
        if len(wanted) == 1 and wanted.isdisjoint(outcome.bda[at] & mask for outcome in ours):
            found.append(f"{0x400 + at:03x}={ours[-1].bda[at] & mask:02x}, not {wanted.pop():02x}")
    return [f"BDA: {'; '.join(found[:6])}"] if found else []

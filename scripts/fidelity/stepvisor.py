"""The side under test: `stepvisor run`, by its report (`--report`) and its picture."""

import json
import pathlib
import re
import subprocess
import tempfile

from . import pictures
from .outcome import Outcome, Screen

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PATIENCE = 60  # seconds beyond the time a guest gets
DRIVES = {"floppy": ["--drive", "0"], "disk": ["--drive", "0x80"], "cdrom": ["--cdrom"]}
# Where the firmware is; a guest that halts there waits for a key.
FIRMWARE = 0xC000
# But the HLT in which INT 14h waits for a serial port (src/bios/rom.rs), where SeaBIOS looks again and again.
SERIAL_WAIT = range(0xD098, 0xD0A0)


# One of the strokes that --keys is made of.
STROKE = re.compile(r"\{\{|\}\}|\{..*?\}|.", re.DOTALL)


def run(image, drive="disk", keys="", seconds=5.0, program=None, pace=None):
    """Boots `image` as a drive, types `keys` and gives the outcome after `seconds` at most. The strokes come as the
    guest takes them, or with `pace` so many seconds apart, when it has drawn what the one before leads to."""
    program = program or TOP / "target/debug/stepvisor"
    with tempfile.TemporaryDirectory(prefix="fidelity") as folder:
        folder = pathlib.Path(folder)
        command = [program, "run", *DRIVES[drive], image, "--timeout", f"{int(seconds * 1000)}ms"]
        command += ["--report", folder / "report.json", "--screen", folder / "screen.png"]
        command += ["--on-unclaimed", "ignore"]
        if keys and not pace:
            command += ["--keys", keys]
        for number, stroke in enumerate(STROKE.findall(keys) if pace else [], start=1):
            command += ["--keys-at", f"{int(number * pace * 1000)}ms:{stroke}"]
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds + PATIENCE, check=False
        )
        report = folder / "report.json"
        if not report.exists():
            text = ended.stderr.decode(errors="replace").strip().splitlines()
            return Outcome(f"failed ({ended.returncode})", "", {}, [], bytes(256), b"", b"", text[-3:])
        return outcome(json.loads(report.read_text()), folder)


def outcome(report, folder):
    screen = report["screen"]
    if screen["kind"] == "text":
        cells = bytes.fromhex("".join(screen["cells"]))
        shown = Screen("text", screen["columns"], screen["rows"], cells, screen["cursor"])
    else:
        width, height, rows = pictures.read_png((folder / "screen.png").read_bytes())
        shown = Screen("graphics", width, height, b"".join(rows))
    return Outcome(
        ending=ending(report),
        location=report["location"],
        registers=report["registers"],
        screens=[shown],
        bda=bytes.fromhex(report["bios_data_area"]),
        serial=report["serial"][0].encode("latin-1"),
        debug=report["debug_console"].encode("latin-1"),
        notes=[report["text"]],
    )


def ending(report):
    """The words of `outcome`, of those of the report."""
    word = report["ending"]
    if word not in ("timeout", "wait"):
        return word
    if report["halted"]:
        if int(report["registers"]["cs"], 16) < FIRMWARE:
            return "wait"
        # A wait in the firmware is one for a key: all others end by themselves.
        return "runs" if int(report["location"].split(":")[1], 16) in SERIAL_WAIT else "key"
    return "runs"

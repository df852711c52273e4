"""The oracle: QEMU's TCG with SeaBIOS.

The guest is stopped at 0000:7C00, where the firmware's lines are cleared from the screen by a mode set of the
firmware's own, so that programs that only teletype can be compared. From there it runs by itself, is looked at
between two instructions, and gets a key whenever it has settled.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import time

from rsp import Remote

from . import keys as keyboard
from . import pictures
from .crtc import cursor
from .outcome import Outcome, Screen
from .qmp import Gone, Monitor, Refused

PATIENCE = 30  # seconds for QEMU to start and the firmware to boot
LOOK = 0.06  # seconds between two looks at a running guest
SETTLED = 0.4  # seconds without a change on the screen
SETTLED_HALTED = 0.15  # the same for a guest in HLT
SETTLED_LAST = 0.9  # the same if no key is left to type: HLT in the firmware may be a wait for some time
SETTLED_WAIT = 3.0  # the same for HLT in the guest's own code
BUSY = 2.5  # seconds, then a guest whose screen goes on changing gets its keys
BUSY_KEY = 0.3  # seconds between keys for such a guest
BUSY_WAIT = 30.0  # seconds for one that draws now and then between waits, and gets no more keys
SETTLED_GUEST = 0.25  # seconds of the guest's own time besides, four ticks: it may be far slower than the host's
PATIENT = 6.0  # seconds without a change, whatever the guest's time
SAMPLES = 5  # screens at the end
EARLIER = 60  # screens on the way there
ENTRY = 0x7C00
# By variant, the logarithm of how many nanoseconds an instruction takes. The last is a KVM that emulates.
SHIFTS = [4, 5, 8]
SLOW = 2
RESET_VECTOR = 0xFFFF0
SMALLEST_FLOPPY = 163840  # bytes
PM_TIMER = 0x608  # where SeaBIOS puts it (PIIX4 datasheet, 7.2.5)
PM_TIMER_HERTZ = 3579545
WAIT_FLAG = 0x4A0  # whose bit 0 is set while INT 15h AH=86 waits


class Qemu:
    """One run; `variant` changes what a program may take for random: the pace and the time of day. In SLOW the
    processor is as slow as a KVM that emulates."""

    def __init__(self, image, drive, variant, folder):
        self.folder = folder
        self.entered = False
        self.ticks, self.passed = None, 0.0
        media = {"floppy": "if=floppy", "disk": "if=ide", "cdrom": "if=ide,media=cdrom"}[drive]
        if drive == "floppy" and os.path.getsize(image) < SMALLEST_FLOPPY:
            image = self.grown(image)
        order = {"floppy": "a", "disk": "c", "cdrom": "d"}[drive]
        clock = ["2026-01-02T03:04:05", "2026-06-07T18:19:20"][variant % 2]
        # All that a processor can do, as hosts have it: the default one has no POPCNT.
        command = ["qemu-system-x86_64", "-display", "none", "-vga", "std", "-accel", "tcg", "-cpu", "max", "-m", "64"]
        command += ["-net", "none", "-S", "-boot", order, "-action", "reboot=shutdown,shutdown=pause"]
        command += ["-icount", f"shift={SHIFTS[variant]},sleep=on", "-rtc", f"base={clock},clock=vm"]
        command += ["-drive", f"file={image},format=raw,{media}" + ("" if drive == "cdrom" else ",snapshot=on")]
        command += ["-qmp", f"unix:{folder}/qmp,server,wait=off"]
        command += ["-chardev", f"socket,id=gdb,path={folder}/gdb,server=on,wait=off", "-gdb", "chardev:gdb"]
        for name, device in [("serial", "isa-serial"), ("debug", "isa-debugcon,iobase=0xe9")]:
            command += ["-chardev", f"file,id={name},path={folder}/{name}"]
            command += ["-serial", "chardev:serial"] if name == "serial" else ["-device", f"{device},chardev={name}"]
        command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-d", "cpu_reset", "-D", f"{folder}/log"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + PATIENCE
        while (monitor := Monitor.connect(f"{folder}/qmp")) is None:
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"QEMU does not start: {self.process.stderr.read().decode().strip()}")
            time.sleep(0.02)
        self.monitor = monitor
        self.remote = Remote(f"{folder}/gdb", PATIENCE)

    def grown(self, image):
        """The boot sector `image` as a floppy of the usual size, as it is for Stepvisor."""
        path = pathlib.Path(self.folder) / "floppy"
        path.write_bytes(pathlib.Path(image).read_bytes())
        os.truncate(path, 1474560)
        return path

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.monitor.close()
        self.remote.close()

    def read(self, address, length):
        path = f"{self.folder}/memory"
        self.monitor.ask("pmemsave", val=address, size=length, filename=path)
        return pathlib.Path(path).read_bytes()

    def port(self, number):
        return int(self.monitor.human(f"i /b {number:#x}").split("=")[1], 16)

    def time(self):
        """Seconds of the guest's time since the first call; they stand still if it has moved the timer."""
        ticks = int(self.monitor.human(f"i /w {PM_TIMER:#x}").split("=")[1], 16)
        before, self.ticks = self.ticks, ticks
        if before is not None:
            self.passed += (ticks - before & 0xFFFFFF) / PM_TIMER_HERTZ
        return self.passed

    def waits_for_time(self, registers):
        """Whether the guest is in INT 15h AH=86, which ends by itself."""
        return in_firmware(registers) and self.read(WAIT_FLAG, 1)[0] & 1 == 1

    def set_port(self, number, value):
        self.monitor.human(f"o /b {number:#x} {value:#x}")

    def indexed(self, number, indices):
        """Registers behind an index register, which is left as it was."""
        before = self.port(number)
        values = []
        for index in indices:
            self.set_port(number, index)
            values.append(self.port(number + 1))
        self.set_port(number, before)
        return values

    def set_register(self, number, value):
        self.remote.checked(b"P%x=%s" % (number, value.to_bytes(8, "little").hex().encode()), rb"OK")

    def run_to(self, address):
        self.remote.checked(b"Z1,%x,1" % address, rb"OK")
        reply = self.remote.request(b"vCont;c")
        self.remote.checked(b"z1,%x,1" % address, rb"OK")
        return reply

    def boot(self):
        """To the first instruction of the guest, on a clear screen; False if the firmware does not boot it."""
        self.remote.socket.settimeout(PATIENCE)
        try:
            self.run_to(ENTRY)
        except TimeoutError:
            return False
        code = self.remote.read_memory(0x600, 8)
        self.remote.write_memory(0x600, b"\xb8\x03\x00\xcd\x10\xeb\xfe")  # mov ax, 3; int 10h; jmp $
        rax, rip, flags = 0, 16, 17
        self.set_register(rip, 0x600)
        self.run_to(0x605)
        self.remote.write_memory(0x600, code)
        for number, value in [(rax, 0xAA55), (rip, ENTRY), (flags, 0x202)]:
            self.set_register(number, value)
        vectors = self.read(0, 0x400)
        self.endings = {RESET_VECTOR: "reset"}
        for number, ending in [(0x18, "int18"), (0x19, "int19")]:
            entry = vectors[4 * number :]
            address = int.from_bytes(entry[:2], "little") + 16 * int.from_bytes(entry[2:4], "little")
            self.endings[address] = ending
        for address in self.endings:
            self.remote.checked(b"Z1,%x,1" % address, rb"OK")
        self.entered = True
        self.monitor.ask("cont")
        return True

    def registers(self):
        text = self.monitor.human("info registers")
        pairs = re.findall(r"\b([A-Z][A-Z0-9]{1,5})\s*=\s*([0-9a-fA-F]+)", text)
        return {name: value for name, value in pairs if not name.startswith(("FPR", "XMM", "YMM", "DR"))}

    def screen(self):
        """Needs a guest that is paused: it goes through index registers."""
        graphics = self.indexed(0x3CE, [6])[0] & 1
        colour = self.port(0x3CC) & 1
        crtc = self.indexed(0x3D4 if colour else 0x3B4, range(0x19))
        # Bochs' display interface overrides the VGA while bit 0 of its register 4 is set.
        before = self.monitor.human("i /h 0x1ce").split("=")[1].strip()
        self.monitor.human("o /h 0x1ce 4")
        enabled = int(self.monitor.human("i /h 0x1cf").split("=")[1], 16) & 1
        self.monitor.human(f"o /h 0x1ce {before}")
        if graphics or enabled:
            path = f"{self.folder}/screen.ppm"
            self.monitor.ask("screendump", filename=path)
            width, height, rows = pictures.shrunk(*pictures.read_ppm(pathlib.Path(path).read_bytes()))
            return Screen("graphics", width, height, b"".join(rows))
        memory = self.read(0xB8000 if colour else 0xB0000, 0x8000)
        lines = (crtc[0x12] | (crtc[7] & 2) << 7 | (crtc[7] & 0x40) << 3) + 1
        columns, rows = crtc[1] + 1, lines // ((crtc[9] & 0x1F) + 1)
        start, pitch = crtc[0xC] << 8 | crtc[0xD], 2 * crtc[0x13]
        split = crtc[0x18] | (crtc[7] & 0x10) << 4 | (crtc[9] & 0x40) << 3
        first = -(-(split + 1) // ((crtc[9] & 0x1F) + 1))  # the row that shows what is at address 0
        cells = bytearray()
        for y in range(rows):
            row = start + y * pitch if y < first else (y - first) * pitch
            for x in range(columns):
                at = 2 * (row + x) % len(memory)
                cells += memory[at : at + 2]
        return Screen("text", columns, rows, bytes(cells), cursor(crtc, pitch, rows))

    def listens(self):
        """Whether the guest has a handler of its own for keys, so that they reach it even in a loop."""
        protected = int(self.registers()["CR0"], 16) & 1
        return protected or self.read(0x26, 2) != b"\x00\xf0"  # the segment of vector 9

    def stuck(self, registers):
        """Whether the guest is in a jump to itself."""
        return self.read(linear(registers), 2) == b"\xeb\xfe"

    def look(self):
        """The screen, the registers, and how the guest has ended: None while it runs."""
        status = self.monitor.ask("query-status")["status"]
        paused = status == "running"
        if paused:
            self.monitor.ask("stop")
            status = self.monitor.ask("query-status")["status"]
        registers, screen = self.registers(), self.screen()
        halted, enabled = registers.get("HLT") == "1", int(registers.get("EFL") or registers["RFL"], 16) & 0x200
        ending = None
        if status in ("shutdown", "guest-panicked"):
            reasons = [event["data"]["reason"] for event in self.monitor.events if event["event"] == "SHUTDOWN"]
            fault = "Triple fault" in pathlib.Path(f"{self.folder}/log").read_text(errors="replace")
            ending = "power-off" if "guest-shutdown" in reasons else "triple-fault" if fault else "reset"
        elif status == "debug":
            ending = self.endings.get(linear(registers), "debug")
            if ending == "int18" and self.caller(registers) == 0xF000:
                ending = "returned"  # where the firmware goes on with its own INT 18h
        elif halted and not enabled:
            ending = "halt"
        elif paused:
            self.monitor.ask("cont")
        return screen, registers, ending

    def caller(self, registers):
        """The segment that an interrupt came from, at its handler's first instruction in real mode."""
        stack = (int(registers["SS"], 16) << 4) + (int(registers["ESP"], 16) & 0xFFFF)
        return int.from_bytes(self.read(stack + 2, 2), "little")

    def type(self, stroke):
        for key, down in stroke:
            event = {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}}
            self.monitor.ask("input-send-event", events=[event])
            time.sleep(0.03)


def linear(registers):
    """CS base and IP; the base is what `info registers` prints behind the selector."""
    return (int(registers["CS"], 16) << 4) + int(registers.get("EIP") or registers["RIP"], 16) & 0xFFFFF


def location(registers):
    instruction = registers.get("EIP") or registers["RIP"]
    return f"{registers['CS']}:{int(instruction, 16):04x}"


def run(image, drive="disk", keys="", variant=0):
    """Boots `image` and types `keys`; gives the outcome."""
    with tempfile.TemporaryDirectory(prefix="fidelity") as folder:
        qemu = Qemu(image, drive, variant, folder)
        try:
            return watch(qemu, keyboard.parse(keys))
        finally:
            qemu.close()


def watch(qemu, strokes):
    state = {"ending": "not booted", "registers": {}, "screens": [], "bda": bytes(256), "earlier": []}
    try:
        if qemu.boot():
            follow(qemu, strokes, state)
        state["bda"] = qemu.read(0x400, 0x100)
    except Gone:
        code = qemu.process.wait(PATIENCE)
        state["ending"] = f"exit {code >> 1:#x}"
    folder = pathlib.Path(qemu.folder)
    registers = state["registers"]
    return Outcome(
        ending=state["ending"],
        location=location(registers) if registers else "",
        registers=registers,
        screens=state["screens"],
        earlier=state["earlier"],
        bda=state["bda"],
        serial=(folder / "serial").read_bytes(),
        debug=(folder / "debug").read_bytes(),
    )


class Moment:
    """A time of the host and of the guest."""

    def __init__(self, qemu):
        self.host, self.guest = time.monotonic(), qemu.time()

    def is_past(self, earlier, seconds, halted=False):
        """Whether so many seconds have gone by since, of which a guest that is not halted may have had few."""
        host, guest = self.host - earlier.host, self.guest - earlier.guest
        own = seconds if halted else min(seconds, SETTLED_GUEST)
        return host >= seconds and guest >= own or host >= seconds + PATIENT


def follow(qemu, strokes, state):
    """Looks until the guest has ended or nothing more is to come; leaves what it saw in `state`."""
    strokes = list(strokes)
    last, since, started, busy = None, Moment(qemu), Moment(qemu), False
    found = None  # the screen before the last key
    while True:
        screen, registers, ending = qemu.look()
        state.update(registers=registers, screens=[screen])
        if ending:
            state["ending"] = ending
            return
        now = Moment(qemu)
        picture = (screen.kind, screen.width, screen.cells, screen.cursor)
        if picture != last:
            last, since = picture, now
            if found and screen.cells != found.cells:
                state["earlier"] = [*thinned(state["earlier"]), screen]
            found = found or screen
        halted = registers.get("HLT") == "1"
        if not halted:
            enough = SETTLED
        elif strokes:
            enough = SETTLED_HALTED
        else:
            enough = SETTLED_LAST if in_firmware(registers) else SETTLED_WAIT
        settled, moving = now.is_past(since, enough, halted), False
        if settled and not strokes and qemu.waits_for_time(registers) and now.host - started.host < PATIENCE:
            time.sleep(LOOK)
            continue
        if settled and not halted and qemu.stuck(registers) and not qemu.listens():
            break
        waits = halted and not strokes and not in_firmware(registers)
        if not settled and now.is_past(started, BUSY_WAIT if waits else BUSY_KEY if busy else BUSY):
            settled = busy = moving = True
        if settled:
            if not strokes:
                break
            try:
                qemu.type(strokes.pop(0))
            except Refused:  # it has ended since the last look
                continue
            since = started = Moment(qemu)
            state["earlier"], found = [], screen
        time.sleep(LOOK)
    # It may not change in the short time that follows.
    places, screens = set(), state["earlier"][-SAMPLES:] if moving else []
    for _ in range(SAMPLES):
        screen, registers, ending = qemu.look()
        screens.append(screen)
        places.add(location(registers) + ("h" if registers.get("HLT") == "1" else ""))
        state.update(registers=registers, screens=screens)
        if ending:
            state["ending"] = ending
            return
        time.sleep(0.1)
    state["ending"] = resting(registers, places, moves=any(screen.cells != screens[0].cells for screen in screens))


def thinned(screens):
    """Every other one, if they are too many."""
    return screens if len(screens) < EARLIER else screens[::2]


def resting(registers, places, moves):
    """What a guest does that goes on for ever."""
    if moves or len(places) > 1:
        return "runs"
    if registers.get("HLT") != "1":
        return "loop"
    return "key" if in_firmware(registers) else "wait"


def in_firmware(registers):
    """It is at F0000 and at C0000; in protected mode selectors are small."""
    return int(registers["CS"], 16) in (0xF000, 0xC000)

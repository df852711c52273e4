"""Tests of the kit itself, without a machine: `scripts/compare-bios --self-test`."""

import types
import unittest

from . import compare, crtc, qemu
from .outcome import Outcome, Screen

COLUMNS, ROWS = 80, 25


def text(*lines):
    """A text screen with these lines."""
    rows = [line.ljust(COLUMNS) for line in lines] + [" " * COLUMNS] * (ROWS - len(lines))
    return Screen("text", COLUMNS, ROWS, b"".join(bytes([ord(letter), 7]) for row in rows for letter in row), [0, 0])


def outcome(*screens, ending="loop", bda=(), earlier=()):
    """An outcome whose last looks are `screens`; `bda` has pairs of offset and byte."""
    area = bytearray(256)
    for at, byte in bda:
        area[at] = byte
    return Outcome(ending, "0000:7c00", {}, list(screens), bytes(area), b"", b"", earlier=list(earlier))


def verdict(oracle, ours):
    return compare.verdict(compare.compare(oracle, ours), [], ours)


class Verdicts(unittest.TestCase):
    def test_equal_outcomes_are_the_same(self):
        self.assertEqual(verdict([outcome(text("a"))] * 2, [outcome(text("a"))]), "same")

    def test_another_screen_is_different(self):
        self.assertEqual(verdict([outcome(text("a"))] * 2, [outcome(text("b"))]), "different")

    def test_another_end_with_the_same_screen_is_said_so(self):
        oracle = [outcome(text("a"), ending="triple-fault")] * 2
        self.assertEqual(verdict(oracle, [outcome(text("a"))]), "same screen")
        self.assertEqual(verdict(oracle, [outcome(text("b"))]), "different")

    def test_another_data_area_with_the_same_screen_is_said_so(self):
        ours = [outcome(text("a"), bda=[(0x4D, 1)])]
        self.assertEqual(verdict([outcome(text("a"))] * 2, ours), "same screen")

    def test_a_refusal_is_no_same_screen(self):
        self.assertEqual(verdict([outcome(text("a"))] * 2, [outcome(text("a"), ending="refused")]), "refused")

    def test_what_a_slow_processor_makes_of_a_race_is_left_out(self):
        fast, slow = outcome(text("first", "tick")), outcome(text("tick", "first"))
        ours = [outcome(text("tick", "first"))]
        self.assertEqual(verdict([fast, fast], ours), "different")
        self.assertEqual(verdict([fast, fast, slow], ours), "same")
        self.assertNotEqual(verdict([fast, fast, slow], [outcome(text("first", "tick", "more"))]), "same")

    def test_any_look_at_a_guest_that_goes_on_tells_its_data_area(self):
        oracle = [outcome(text("a"), ending="runs", bda=[(0x3E, 1)])] * 2
        before, after = (outcome(text("a"), ending="runs", bda=[(0x3E, bit)]) for bit in (0, 1))
        self.assertEqual(verdict(oracle, [after, before]), "same")
        self.assertEqual(verdict(oracle, [before, before]), "same screen")

    def test_of_a_screen_that_moves_it_is_said_whether_it_has_the_same_things(self):
        oracle = [outcome(text("*"), text(" *")), outcome(text("  *"), text("   *"))]
        alike, strange = outcome(text("", "*")), outcome(text("", "#" * COLUMNS))
        for ours, said in [(alike, True), (strange, False)]:
            differing = compare.compare(oracle, [ours])
            self.assertEqual(compare.verdict(differing, [], [ours]), "moving")
            self.assertEqual("the same things" in differing[0], said)


class Moments(unittest.TestCase):
    def is_past(self, host, guest, seconds, halted=False):
        later, sooner = (qemu.Moment.__new__(qemu.Moment) for _ in range(2))
        sooner.host, sooner.guest, later.host, later.guest = 10.0, 5.0, 10.0 + host, 5.0 + guest
        return later.is_past(sooner, seconds, halted)

    def test_a_guest_has_settled_by_its_own_time_too(self):
        self.assertTrue(self.is_past(host=0.5, guest=0.5, seconds=0.4))
        self.assertFalse(self.is_past(host=0.3, guest=0.3, seconds=0.4))
        self.assertFalse(self.is_past(host=0.5, guest=0.01, seconds=0.4))

    def test_a_short_wait_needs_no_more_of_the_guest_than_of_the_host(self):
        self.assertTrue(self.is_past(host=0.15, guest=0.15, seconds=0.15))

    def test_a_guest_in_hlt_has_all_of_its_wait(self):
        self.assertFalse(self.is_past(host=3.0, guest=0.9, seconds=3.0, halted=True))
        self.assertTrue(self.is_past(host=3.5, guest=3.0, seconds=3.0, halted=True))

    def test_patience_ends_with_a_guest_whose_time_stands_still(self):
        self.assertTrue(self.is_past(host=0.5 + qemu.PATIENT, guest=0.0, seconds=0.4))

    def test_the_timer_counts_on_over_its_end(self):
        values = iter([0xFFFF00, 0x000100])
        machine = qemu.Qemu.__new__(qemu.Qemu)
        machine.ticks, machine.passed = None, 0.0
        machine.monitor = types.SimpleNamespace(human=lambda _: f"portl[0x608] = {next(values):#x}")
        self.assertEqual(machine.time(), 0.0)
        self.assertAlmostEqual(machine.time(), 0x200 / qemu.PM_TIMER_HERTZ)


class Cursors(unittest.TestCase):
    """A cursor at row 1, column 2 of a screen that begins at 50h."""

    def at(self, start, end, place=0x50 + 82):
        registers = [0] * 0x19
        registers[0xA:0x10] = [start, end, 0, 0x50, place >> 8, place & 0xFF]
        return crtc.cursor(registers, 80, 25)

    def test_a_cursor_is_where_it_is_seen(self):
        self.assertEqual(self.at(13, 14), [1, 2])
        self.assertEqual(self.at(14, 14), [1, 2])

    def test_each_way_to_hide_a_cursor_is_alike(self):
        self.assertIsNone(self.at(0x20 | 13, 14))
        self.assertIsNone(self.at(14, 13))
        self.assertIsNone(self.at(13, 14, place=0x4F))
        self.assertIsNone(self.at(13, 14, place=0x50 + 80 * 25))


def run():
    """0 if all went well."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(__import__(__name__, fromlist=["tests"]))
    return 0 if unittest.TextTestRunner().run(suite).wasSuccessful() else 1

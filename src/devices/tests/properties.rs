//! What the data sheets say in formulas and tables, held against the devices for any values.

use proptest::collection::vec;
use proptest::prelude::*;

use super::devices;
use crate::devices::frame::Frame;
use crate::devices::keyboard::keymap;
use crate::devices::pic::Pics;
use crate::devices::pit::Pit;
use crate::x86::Phys;

/// Counter 2 of an 8254 (Intel 231164, "Mode Definitions"): its output and its count, so many cycles behind the count,
/// or behind the trigger in modes 1 and 5. The first cycle loads the count.
fn sheet(mode: u8, count: u64, modulus: u64, cycles: u64) -> (bool, u64) {
    let passed = cycles - 1;
    let once = (2 * modulus + count - passed % modulus) % modulus;
    match mode {
        0 | 1 => (passed >= count, once),
        2 => {
            let left = count - passed % count;
            (left != 1, left % modulus)
        }
        3 => {
            let (high, even) = (count.div_ceil(2), count & !1);
            let place = passed % count;
            let steps = if place < high { place } else { place - high };
            (place < high, (even - 2 * steps) % modulus)
        }
        _ => (passed != count, once),
    }
}

/// A count as it is written and read.
fn digits(value: u64, bcd: bool) -> u16 {
    let decimal = (0..4).map(|place| (value / 10u64.pow(place) % 10) << (4 * place)).sum();
    u16::try_from(if bcd { decimal } else { value }).unwrap()
}

fn latched(pit: &mut Pit) -> u16 {
    pit.write(3, 0x80);
    u16::from_le_bytes([pit.read(2), pit.read(2)])
}

proptest! {
    #[test]
    fn the_timer_counts_as_its_data_sheet_says(
        mode in 0u8..6,
        bcd: bool,
        count in prop_oneof![0u64..12, 0u64..10_000],
        pauses in vec(1u64..400, 1..12),
    ) {
        let modulus = if bcd { 10_000 } else { 65_536 };
        let count = if matches!(mode, 2 | 3) && count == 1 { 2 } else { count };
        let mut pit = Pit::default();
        pit.set_gate(!matches!(mode, 1 | 5));
        pit.write(3, 0xb0 | mode << 1 | u8::from(bcd));
        for byte in digits(count, bcd).to_le_bytes() {
            pit.write(2, byte);
        }
        pit.set_gate(true);
        let count = if count == 0 { modulus } else { count };
        let mut cycles = 0;
        for pause in pauses {
            pit.pass(pause);
            cycles += pause;
            let (output, value) = sheet(mode, count, modulus, cycles);
            prop_assert_eq!(pit.output(2), output, "after {} cycles", cycles);
            pit.write(3, 0xe8);
            let status = u8::from(output) << 7 | 0x30 | mode << 1 | u8::from(bcd);
            prop_assert_eq!(pit.read(2), status);
            let value = digits(value, bcd);
            prop_assert_eq!(latched(&mut pit), value, "after {} cycles", cycles);
            // Unlatched, it is the same until the next cycle.
            prop_assert_eq!([pit.read(2), pit.read(2)], value.to_le_bytes());
        }
    }

    #[test]
    fn a_latched_count_is_that_of_its_moment(count in 2u64..5_000, before in 1u64..9_000, behind in 0u64..9_000) {
        let mut pit = Pit::default();
        pit.set_gate(true);
        pit.write(3, 0xb4);
        for byte in digits(count, false).to_le_bytes() {
            pit.write(2, byte);
        }
        pit.pass(before);
        pit.write(3, 0x80);
        pit.pass(behind);
        // A second one changes nothing before the first is read.
        pit.write(3, 0x80);
        let (_, value) = sheet(2, count, 65_536, before);
        prop_assert_eq!(u64::from(u16::from_le_bytes([pit.read(2), pit.read(2)])), value);
    }
}

/// The first 8259A of a PC, its second quiet (Intel 231468): fully nested, edge triggered.
#[derive(Debug)]
struct Nested {
    levels: u8,
    /// Rose, and were not acknowledged since.
    rose: u8,
    mask: u8,
    service: u8,
    lowest: u8,
}

impl Nested {
    /// From the highest priority down.
    fn lines(&self) -> impl Iterator<Item = u8> + use<> {
        let lowest = self.lowest;
        (1..=8).map(move |behind| (lowest + behind) % 8)
    }

    fn request(&self) -> Option<u8> {
        let waits = self.rose & self.levels & !self.mask;
        let line = self.lines().find(|line| (waits | self.service) >> line & 1 == 1)?;
        (self.service >> line & 1 == 0).then_some(line)
    }

    fn acknowledge(&mut self) -> u8 {
        let Some(line) = self.request() else { return 0x27 };
        self.rose &= !(1 << line);
        self.service |= 1 << line;
        0x20 + line
    }

    fn command(&mut self, ocw2: u8) {
        let highest = self.lines().find(|line| self.service >> line & 1 == 1);
        let (ends, named) = (ocw2 & 0x20 != 0, ocw2 & 0x40 != 0);
        let line = if named { Some(ocw2 & 7) } else { highest };
        let Some(line) = line else { return };
        if ends {
            self.service &= !(1 << line);
        }
        if ocw2 & 0x80 != 0 && (ends || named) {
            self.lowest = line;
        }
    }
}

/// What happens to it.
#[derive(Clone, Copy, Debug)]
enum Event {
    Line(u8, bool),
    Mask(u8),
    /// Operation command word 2: an end of interrupt, a rotation, or both.
    Command(u8),
    Acknowledge,
}

fn event() -> impl Strategy<Value = Event> {
    // The line of the second is left alone.
    let line = prop_oneof![Just(0u8), Just(1), 3u8..8];
    let commands = [0x20u8, 0x60, 0xa0, 0xe0, 0xc0];
    prop_oneof![
        4 => (line, any::<bool>()).prop_map(|(line, high)| Event::Line(line, high)),
        1 => any::<u8>().prop_map(Event::Mask),
        2 => (proptest::sample::select(commands.to_vec()), 0u8..8)
            .prop_map(|(command, line)| Event::Command(command | line)),
        2 => Just(Event::Acknowledge),
    ]
}

proptest! {
    #[test]
    fn the_interrupt_controller_nests_and_rotates_as_its_data_sheet_says(events in vec(event(), 1..60)) {
        let mut pics = Pics::default();
        for (second, base, icw3) in [(false, 0x20, 0x04), (true, 0x28, 0x02)] {
            pics.write(second, 0, 0x11);
            for value in [base, icw3, 0x01, 0x00] {
                pics.write(second, 1, value);
            }
        }
        let mut nested = Nested { levels: 0, rose: 0, mask: 0, service: 0, lowest: 7 };
        for event in events {
            match event {
                Event::Line(line, high) => {
                    pics.set_line(line, high);
                    let bit = 1 << line;
                    if high {
                        nested.rose |= bit & !nested.levels;
                        nested.levels |= bit;
                    } else {
                        nested.levels &= !bit;
                        nested.rose &= !bit;
                    }
                }
                Event::Mask(mask) => {
                    pics.write(false, 1, mask);
                    nested.mask = mask;
                }
                Event::Command(ocw2) => {
                    pics.write(false, 0, ocw2);
                    nested.command(ocw2);
                }
                Event::Acknowledge => prop_assert_eq!(pics.acknowledge(), nested.acknowledge()),
            }
            prop_assert_eq!(pics.interrupt(), nested.request().is_some(), "{:?}", nested);
            pics.write(false, 0, 0x0b);
            prop_assert_eq!(pics.read(false, 0), nested.service);
            pics.write(false, 0, 0x0a);
            prop_assert_eq!(pics.read(false, 0), nested.rose & nested.levels);
            prop_assert_eq!(pics.read(false, 1), nested.mask);
        }
    }

    #[test]
    fn the_crt_controller_keeps_what_is_written_unless_it_is_protected(
        writes in vec((0u8..0x20, any::<u8>()), 1..80),
    ) {
        let mut devices = devices();
        let read = |devices: &mut super::Devices, index: u8| {
            devices.port_write(0x3d4, 1, index.into());
            devices.port_read(0x3d5, 1).unwrap() as u8
        };
        let mut registers: Vec<u8> = (0..0x19).map(|index| read(&mut devices, index)).collect();
        for (index, value) in writes {
            // Index and data in one access.
            devices.port_write(0x3d4, 2, u32::from(value) << 8 | u32::from(index));
            // IBM VGA, "Vertical Retrace End": bit 7 protects registers 0 to 7, but for the line compare's bit.
            let protected = registers[0x11] & 0x80 != 0 && index < 8;
            let kept = match index {
                7 if protected => 0xef,
                _ if protected => 0xff,
                _ => 0,
            };
            if let Some(register) = registers.get_mut(usize::from(index)) {
                *register = *register & kept | value & !kept;
            }
            for (index, register) in (0..).zip(&registers) {
                prop_assert_eq!(read(&mut devices, index), *register, "register {:x}", index);
            }
        }
    }

    #[test]
    fn the_cursor_is_so_many_cells_behind_the_start_of_the_picture(start in 0u16..0x1000, behind in 0u16..0x0c00) {
        let mut devices = devices();
        let [high, low] = start.to_be_bytes();
        let [cursor_high, cursor_low] = (start + behind).to_be_bytes();
        for (index, value) in [(0x0c, high), (0x0d, low), (0x0e, cursor_high), (0x0f, cursor_low)] {
            devices.port_write(0x3d4, 2, u32::from(value) << 8 | index);
        }
        let Frame::Text(text) = devices.frame() else { panic!("not text") };
        let place = text.cursor.map(|cursor| (cursor.row, cursor.column));
        prop_assert_eq!(place, (behind < 80 * 25).then_some((behind / 80, behind % 80)));
    }
}

/// Keys, with their make codes in sets 2 and 1 (IBM PS/2 Hardware Interface Technical Reference, "Keyboards").
const KEYS: [(&str, &[u8], &[u8]); 40] = [
    ("Esc", &[0x76], &[0x01]),
    ("1", &[0x16], &[0x02]),
    ("0", &[0x45], &[0x0b]),
    ("-", &[0x4e], &[0x0c]),
    ("Backspace", &[0x66], &[0x0e]),
    ("Tab", &[0x0d], &[0x0f]),
    ("q", &[0x15], &[0x10]),
    ("p", &[0x4d], &[0x19]),
    ("Enter", &[0x5a], &[0x1c]),
    ("Ctrl", &[0x14], &[0x1d]),
    ("a", &[0x1c], &[0x1e]),
    ("l", &[0x4b], &[0x26]),
    ("`", &[0x0e], &[0x29]),
    ("Shift", &[0x12], &[0x2a]),
    ("\\", &[0x5d], &[0x2b]),
    ("z", &[0x1a], &[0x2c]),
    ("/", &[0x4a], &[0x35]),
    ("RightShift", &[0x59], &[0x36]),
    ("KPStar", &[0x7c], &[0x37]),
    ("Alt", &[0x11], &[0x38]),
    ("Space", &[0x29], &[0x39]),
    ("CapsLock", &[0x58], &[0x3a]),
    ("F1", &[0x05], &[0x3b]),
    ("F7", &[0x83], &[0x41]),
    ("F10", &[0x09], &[0x44]),
    ("F11", &[0x78], &[0x57]),
    ("F12", &[0x07], &[0x58]),
    ("NumLock", &[0x77], &[0x45]),
    ("ScrollLock", &[0x7e], &[0x46]),
    ("KP7", &[0x6c], &[0x47]),
    ("KP5", &[0x73], &[0x4c]),
    ("KPPlus", &[0x79], &[0x4e]),
    ("KP0", &[0x70], &[0x52]),
    ("102nd", &[0x61], &[0x56]),
    ("Up", &[0xe0, 0x75], &[0xe0, 0x48]),
    ("Delete", &[0xe0, 0x71], &[0xe0, 0x53]),
    ("PageDown", &[0xe0, 0x7a], &[0xe0, 0x51]),
    ("KPEnter", &[0xe0, 0x5a], &[0xe0, 0x1c]),
    ("RightCtrl", &[0xe0, 0x14], &[0xe0, 0x1d]),
    ("Win", &[0xe0, 0x1f], &[0xe0, 0x5b]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn keys_come_as_the_codes_of_their_set_in_the_order_they_were_pressed(
        strokes in vec((0..KEYS.len(), any::<bool>()), 1..40),
        translates: bool,
    ) {
        let mut devices = devices();
        let command_byte = if translates { 0x41 } else { 0x01 };
        devices.port_write(0x64, 1, 0x60);
        devices.port_write(0x60, 1, command_byte);
        let mut expected = Vec::new();
        for (key, pressed) in strokes {
            let (name, set_2, set_1) = KEYS[key];
            let sign = if pressed { '+' } else { '-' };
            let events = keymap::parse(&format!("{{{sign}{name}}}")).unwrap();
            prop_assert!(devices.chipset_mut().keyboard_mut().type_keys(&events));
            let code = if translates { set_1 } else { set_2 };
            let (last, prefix) = (code[code.len() - 1], &code[..code.len() - 1]);
            expected.extend_from_slice(prefix);
            match (pressed, translates) {
                (true, _) => expected.push(last),
                (false, true) => expected.push(last | 0x80),
                (false, false) => expected.extend([0xf0, last]),
            }
        }
        let mut codes = Vec::new();
        let mut looks = 0;
        // A guest that polls.
        while looks < 32 {
            looks += 1;
            if devices.port_read(0x64, 1).unwrap() & 1 == 1 {
                codes.push(devices.port_read(0x60, 1).unwrap() as u8);
                looks = 0;
            }
        }
        prop_assert_eq!(codes, expected);
    }

    #[test]
    fn whatever_is_done_to_ports_and_memory_has_an_outcome_and_a_state(
        accesses in vec(
            (0..PORTS.len() + 2, 0u16..4, 0usize..3, any::<u32>(), any::<bool>(), 0u64..3_000_000), 1..400,
        ),
    ) {
        let mut devices = devices();
        for (place, offset, width, value, writes, pause) in accesses {
            let size = [1, 2, 4][width];
            match PORTS.get(place) {
                Some(base) if writes => {
                    devices.port_write(base + offset, size, value);
                }
                Some(base) => {
                    let read = devices.port_read(base + offset, size).unwrap_or_default();
                    prop_assert!(size == 4 || read >> (8 * u32::from(size)) == 0);
                }
                None => {
                    let at = Phys(0xa_0000 + u64::from(value % 0x2_0000));
                    let mut bytes = value.to_le_bytes();
                    let bytes = &mut bytes[..size.into()];
                    let _ = if writes { devices.mmio_write(at, bytes) } else { devices.mmio_read(at, bytes) };
                }
            }
            devices.pass(pause);
            if devices.chipset().interrupt() {
                devices.chipset_mut().acknowledge();
            }
        }
        let saved = devices.save();
        let _ = devices.frame();
        let mut other = super::devices();
        other.restore(&serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap()).unwrap();
        prop_assert!(other.save() == saved);
        prop_assert_eq!(other.frame(), devices.frame());
    }
}

/// Where the devices' ports begin, four apart at the most.
const PORTS: [u16; 20] = [
    0x20, 0x40, 0x60, 0x64, 0x70, 0x80, 0x92, 0xa0, 0xe9, 0x1ce, 0x2f8, 0x2fc, 0x3b4, 0x3c0, 0x3c4,
    0x3c8, 0x3cc, 0x3d4, 0x3d8, 0x3f8,
];

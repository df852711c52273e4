//! What the data sheets say in formulas and tables, held against the CRT controller and the keyboard for any values;
//! and any use of all devices.

use proptest::collection::vec;
use proptest::prelude::*;

use super::devices;
use crate::devices::frame::Frame;
use crate::devices::keyboard::keymap;
use crate::x86::Phys;

proptest! {
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

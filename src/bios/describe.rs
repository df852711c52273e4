//! The BIOS data area and the firmware's vectors in words, for a person.

use std::fmt::Write;

use super::data_area as bda;
use super::rom;
use crate::x86::{Phys, SegOff};

/// What of the firmware is at `target`, such as "BIOS: INT 10h video".
#[must_use]
pub fn target(target: SegOff) -> Option<String> {
    let offset = target.linear().0.checked_sub(rom::START.0)?;
    Some(format!("BIOS: {}", rom::name_at(u16::try_from(offset).ok()?)?))
}

/// Bits of a flag byte and their names.
type Names = [(u8, &'static str)];

const SHIFTS: &Names = &[
    (0x01, "right Shift"),
    (0x02, "left Shift"),
    (0x04, "Ctrl"),
    (0x08, "Alt"),
    (0x10, "Scroll Lock on"),
    (0x20, "Num Lock on"),
    (0x40, "Caps Lock on"),
    (0x80, "Insert on"),
];

fn names(byte: u8, names: &Names) -> String {
    let set: Vec<&str> =
        names.iter().filter(|(bit, _)| byte & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "none".to_owned() } else { set.join(", ") }
}

/// The BIOS data area, of which `read` gives words.
#[must_use]
pub fn data_area(read: impl Fn(Phys) -> u16) -> String {
    let byte = |at: Phys| read(at).to_le_bytes()[0];
    let words = |at: Phys, count: u64| {
        let ports: Vec<String> = (0..count)
            .map(|n| read(at.offset(n * 2)))
            .filter(|port| *port != 0)
            .map(|port| format!("{port:#05x}"))
            .collect();
        if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
    };
    let double = |at: Phys| u32::from(read(at)) | u32::from(read(at.offset(2))) << 16;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |at: Phys, name: &str, value: String| {
        let _ = writeln!(text, "{:03x}  {name:<22} {value}", at.0);
    };
    line(bda::COM_PORTS, "serial ports", words(bda::COM_PORTS, 4));
    line(bda::LPT_PORTS, "printer ports", words(bda::LPT_PORTS, 3));
    line(
        bda::EBDA_SEGMENT,
        "extended data area",
        format!("segment {:04X}", read(bda::EBDA_SEGMENT)),
    );
    line(bda::EQUIPMENT, "equipment", format!("{:04x}", read(bda::EQUIPMENT)));
    line(bda::MEMORY_SIZE, "conventional memory", format!("{} KiB", read(bda::MEMORY_SIZE)));
    let flags = byte(bda::KEYBOARD_FLAGS);
    line(bda::KEYBOARD_FLAGS, "shift keys", format!("{flags:02x}: {}", names(flags, SHIFTS)));
    line(bda::KEYBOARD_HEAD, "keys that wait", keys(&read));
    line(bda::FLOPPY_STATUS, "floppy status", format!("{:02x}", byte(bda::FLOPPY_STATUS)));
    let mode = format!(
        "{:02x}, {} columns, {} rows",
        byte(bda::VIDEO_MODE),
        read(bda::VIDEO_COLUMNS),
        u16::from(byte(bda::VIDEO_ROWS)) + 1
    );
    line(bda::VIDEO_MODE, "video mode", mode);
    let page = byte(bda::VIDEO_PAGE);
    let start = read(bda::VIDEO_PAGE_START);
    line(bda::VIDEO_PAGE, "page", format!("{page}, at {start:04x}"));
    let cursor = read(bda::CURSOR_POSITIONS.offset(u64::from(page & 7) * 2));
    let [column, row] = cursor.to_le_bytes();
    let [last, first] = read(bda::CURSOR_SHAPE).to_le_bytes();
    let cursor = format!("row {row}, column {column}, lines {first} to {last}");
    line(bda::CURSOR_POSITIONS, "cursor", cursor);
    line(bda::CRTC_PORT, "CRT controller", format!("{:#05x}", read(bda::CRTC_PORT)));
    let ticks = double(bda::TIMER_TICKS);
    let seconds = u64::from(ticks) * 0x1_0000 / 1_193_182;
    let time = format!(
        "{ticks:#x}: {:02}:{:02}:{:02}, {} midnights passed",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        byte(bda::TIMER_OVERFLOW)
    );
    line(bda::TIMER_TICKS, "timer ticks", time);
    line(bda::RESET_FLAG, "reset flag", format!("{:04x}", read(bda::RESET_FLAG)));
    line(bda::DISK_STATUS, "disk status", format!("{:02x}", byte(bda::DISK_STATUS)));
    line(bda::DISK_COUNT, "hard disks", byte(bda::DISK_COUNT).to_string());
    let wait = byte(bda::WAIT_FLAG);
    if wait & 1 != 0 {
        let left = double(bda::WAIT_COUNT);
        line(bda::WAIT_FLAG, "wait of INT 15h", format!("{left} microseconds left"));
    }
    text
}

/// The keys in the buffer.
fn keys(read: &impl Fn(Phys) -> u16) -> String {
    let [start, end] = [bda::KEYBOARD_BUFFER_START, bda::KEYBOARD_BUFFER_END].map(read);
    let [mut at, tail] = [bda::KEYBOARD_HEAD, bda::KEYBOARD_TAIL].map(read);
    let mut keys = Vec::new();
    // A buffer that a guest has moved may hold anything.
    while at != tail && keys.len() < 64 {
        keys.push(format!("{:04x}", read(Phys(0x400 + u64::from(at)))));
        at = at.wrapping_add(2);
        if at == end {
            at = start;
        }
    }
    if keys.is_empty() { "none".to_owned() } else { keys.join(" ") }
}

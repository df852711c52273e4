//! The BIOS data area, segment 40h: where programs and firmware meet.
//!
//! Addresses and widths are those of the IBM PC/AT Technical Reference; a name ends in its type if that is
//! not a byte.

use crate::x86::Phys;

/// Segment of the extended BIOS data area: the last KiB of conventional memory.
pub const EBDA: u16 = 0x9fc0;
/// Where that is.
pub const EBDA_RANGE: std::ops::Range<u64> = 0x9_fc00..0xa_0000;

const fn at(offset: u64) -> Phys {
    Phys(0x400 + offset)
}

/// Ports of COM1 to COM4, words.
pub const COM_PORTS: Phys = at(0x00);
/// Ports of LPT1 to LPT3, words.
pub const LPT_PORTS: Phys = at(0x08);
/// Segment of the extended BIOS data area, a word.
pub const EBDA_SEGMENT: Phys = at(0x0e);
/// Equipment, a word: what INT 11h returns.
pub const EQUIPMENT: Phys = at(0x10);
/// Conventional memory in KiB, a word: what INT 12h returns.
pub const MEMORY_SIZE: Phys = at(0x13);
/// Shift keys and locks: what INT 16h AH=02 returns.
pub const KEYBOARD_FLAGS: Phys = at(0x17);
/// More of them.
pub const KEYBOARD_FLAGS_2: Phys = at(0x18);
/// The number being typed with Alt and the keypad.
pub const ALT_NUMBER: Phys = at(0x19);
/// Offset in segment 40h of the next key to take, a word.
pub const KEYBOARD_HEAD: Phys = at(0x1a);
/// Offset in segment 40h where the next key goes, a word.
pub const KEYBOARD_TAIL: Phys = at(0x1c);
/// Sixteen words: character and scan code of each key typed.
pub const KEYBOARD_BUFFER: Phys = at(0x1e);
/// Which floppy drives need not be recalibrated, and bit 7: their interrupt has come.
pub const FLOPPY_RECALIBRATE: Phys = at(0x3e);
/// Which floppy motors run.
pub const FLOPPY_MOTOR: Phys = at(0x3f);
/// Ticks until the motors are switched off.
pub const FLOPPY_MOTOR_COUNT: Phys = at(0x40);
/// Status of the last floppy operation.
pub const FLOPPY_STATUS: Phys = at(0x41);
/// What the floppy controller told last: three status bytes, cylinder, head, sector, size of a sector; 7 bytes.
pub const FLOPPY_RESULT: Phys = at(0x42);
/// The video mode: what INT 10h AH=0F returns in AL.
pub const VIDEO_MODE: Phys = at(0x49);
/// Columns of text, a word.
pub const VIDEO_COLUMNS: Phys = at(0x4a);
/// Bytes of a page of video memory, a word.
pub const VIDEO_PAGE_SIZE: Phys = at(0x4c);
/// Offset of the page shown in video memory, a word.
pub const VIDEO_PAGE_START: Phys = at(0x4e);
/// Cursor of each of eight pages: column in the low byte, row in the high one.
pub const CURSOR_POSITIONS: Phys = at(0x50);
/// The cursor's lines: the last in the low byte, the first in the high one.
pub const CURSOR_SHAPE: Phys = at(0x60);
/// The page shown.
pub const VIDEO_PAGE: Phys = at(0x62);
/// Port of the CRT controller's index, a word: 3D4h or 3B4h.
pub const CRTC_PORT: Phys = at(0x63);
/// The last value of the CGA's mode register.
pub const CGA_MODE: Phys = at(0x65);
/// The last value of the CGA's palette register.
pub const CGA_PALETTE: Phys = at(0x66);
/// Timer ticks since midnight, a double word.
pub const TIMER_TICKS: Phys = at(0x6c);
/// Midnights passed since INT 1Ah was asked.
pub const TIMER_OVERFLOW: Phys = at(0x70);
/// Bit 7: Ctrl+Break was pressed.
pub const BREAK_FLAG: Phys = at(0x71);
/// 1234h where a warm start is wanted, a word.
pub const RESET_FLAG: Phys = at(0x72);
/// Status of the last hard disk operation.
pub const DISK_STATUS: Phys = at(0x74);
/// Number of hard disks.
pub const DISK_COUNT: Phys = at(0x75);
/// Timeouts of the printers.
pub const LPT_TIMEOUTS: Phys = at(0x78);
/// Timeouts of the serial ports.
pub const COM_TIMEOUTS: Phys = at(0x7c);
/// In the extended data area: ticks left of a serial port's timeout in the upper word, the last tick that was seen
/// in the lower; 0 while no service waits for a port.
pub const SERIAL_WAIT: Phys = Phys(EBDA_RANGE.start + 0x10);
/// The same: how far INT 10h has come with a text that it has not done in one call, 5 bytes.
pub const VIDEO_REST: Phys = Phys(EBDA_RANGE.start + 0x14);
/// The same: how often INT 13h has locked the CD-ROM's disk in its drive.
pub const CD_ROM_LOCKS: Phys = Phys(EBDA_RANGE.start + 0x19);
/// Offset in segment 40h of the key buffer's first word, a word.
pub const KEYBOARD_BUFFER_START: Phys = at(0x80);
/// Offset behind its last, a word.
pub const KEYBOARD_BUFFER_END: Phys = at(0x82);
/// Rows of text less one.
pub const VIDEO_ROWS: Phys = at(0x84);
/// Scan lines of a character, a word.
pub const CHARACTER_HEIGHT: Phys = at(0x85);
/// EGA and VGA: memory, monitor, cursor emulation.
pub const VIDEO_CONTROL: Phys = at(0x87);
/// EGA and VGA: switches.
pub const VIDEO_SWITCHES: Phys = at(0x88);
/// VGA: lines of text modes, default palette loading.
pub const VIDEO_MODE_OPTIONS: Phys = at(0x89);
/// Display combination.
pub const VIDEO_COMBINATION: Phys = at(0x8a);
/// The data rate of the last floppy operation, in bits 6 and 7.
pub const FLOPPY_DATA_RATE: Phys = at(0x8b);
/// FFh once a hard disk's drive has interrupted.
pub const DISK_INTERRUPT: Phys = at(0x8e);
/// Which floppy drives have been determined, four bits each.
pub const FLOPPY_DRIVES: Phys = at(0x8f);
/// What is known of the disks in two floppy drives.
pub const FLOPPY_MEDIA_STATES: Phys = at(0x90);
/// The cylinders that their heads are at.
pub const FLOPPY_CYLINDERS: Phys = at(0x94);
/// Enhanced keyboard: E0 and E1 just received, right Alt and Ctrl.
pub const KEYBOARD_FLAGS_3: Phys = at(0x96);
/// Enhanced keyboard: lights and protocol.
pub const KEYBOARD_FLAGS_4: Phys = at(0x97);
/// INT 15h AH=83 and 86: far pointer to the byte whose bit 7 is set when the wait is over, a double word.
pub const WAIT_POINTER: Phys = at(0x98);
/// The same: microseconds that are left, a double word.
pub const WAIT_COUNT: Phys = at(0x9c);
/// The same: the wait is active.
pub const WAIT_FLAG: Phys = at(0xa0);
/// Far pointer to the table of video parameters and pointers, a double word.
pub const VIDEO_SAVE_POINTER: Phys = at(0xa8);

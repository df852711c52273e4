//! What an access to a floppy leaves in the data area: the state of drive and disk, and what the controller has told.
//!
//! There is no controller here. Programs find what SeaBIOS leaves after the same access.

use crate::bios::{Pc, data_area};
use crate::disk::geometry::Geometry;

/// Where a transfer begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub cylinder: u32,
    pub head: u32,
    /// Counted from 1.
    pub sector: u32,
}

/// The first status byte of the controller: the command has failed; the head has been moved to the next cylinder; the
/// drive's head 1.
const FAILED: u8 = 0x40;
const SEEK_END: u8 = 0x20;
const HEAD_1: u8 = 0x04;

/// Has the motor of floppy drive `number` run, and its head moved to `cylinder`.
pub(super) fn prepare(pc: &mut Pc<'_>, number: usize, geometry: Geometry, cylinder: u32) {
    /// Ticks that it runs on, whatever the diskette parameters say.
    const TICKS: u8 = 0x25;
    /// Its interrupt has come.
    const INTERRUPT: u8 = 0x80;
    let calibrated = pc.read_u8(data_area::FLOPPY_RECALIBRATE) | 1 << (number & 3);
    pc.write_u8(data_area::FLOPPY_RECALIBRATE, calibrated & !INTERRUPT);
    pc.write_u8(data_area::FLOPPY_MOTOR_COUNT, TICKS);
    let state = media_state(geometry);
    pc.write_u8(data_area::FLOPPY_DATA_RATE, state & 0xc0);
    let number = number as u64 & 1;
    pc.write_u8(data_area::FLOPPY_MEDIA_STATES.offset(number), state);
    pc.write_u8(data_area::FLOPPY_CYLINDERS.offset(number), (cylinder & 0xff) as u8);
}

/// Forgets what is known of the drives' disks and heads.
pub(super) fn reset(pc: &mut Pc<'_>) {
    pc.write_u8(data_area::FLOPPY_RECALIBRATE, 0);
    pc.write(data_area::FLOPPY_MEDIA_STATES, &[0; 2]);
    pc.write(data_area::FLOPPY_CYLINDERS, &[0; 2]);
}

/// Leaves the controller's result of a transfer of `count` sectors that went well: where the next one would begin.
/// The controller has been told that the last of them is the last of the track.
pub(super) fn done(pc: &mut Pc<'_>, number: usize, geometry: Geometry, from: Place, count: u32) {
    let Geometry { heads, sectors, .. } = geometry;
    let last = from.sector + count - 1;
    let (tracks, sector) =
        if last <= sectors { (1, 1) } else { (last / sectors, last % sectors + 1) };
    let track = from.cylinder * heads + from.head + tracks;
    let next = Place { cylinder: track / heads, head: track % heads, sector };
    let moved = if next.cylinder == from.cylinder { 0 } else { SEEK_END };
    let head = if next.head == 0 { 0 } else { HEAD_1 };
    leave(pc, moved | head, number, next);
}

/// The same of one that failed at once: where it was to begin.
pub(super) fn failed(pc: &mut Pc<'_>, number: usize, from: Place) {
    leave(pc, FAILED, number, from);
}

/// Three status bytes, cylinder, head, sector, and 2 for sectors of 512 bytes.
fn leave(pc: &mut Pc<'_>, status: u8, number: usize, at: Place) {
    let [cylinder, head, sector] =
        [at.cylinder, at.head, at.sector].map(|part| (part & 0xff) as u8);
    let result = [status | (number & 3) as u8, 0, 0, cylinder, head, sector, 2];
    pc.write(data_area::FLOPPY_RESULT, &result);
}

/// The disk is known, of what kind it is in what drive, and the data rate in bits 6 and 7: 500, 300, 250 kbit/s or
/// 1 Mbit/s (IBM PC/AT Technical Reference).
fn media_state(geometry: Geometry) -> u8 {
    match (geometry.cylinders, geometry.sectors) {
        (..=40, ..=8) => 0xb7,
        (..=40, _) => 0x74,
        (_, ..=10) => 0x97,
        (_, ..=15) => 0x15,
        (_, ..=21) => 0x17,
        _ => 0xd7,
    }
}

//! Disks: images as rows of sectors, copy-on-write over what the host has.
//!
//! Nothing here knows of the BIOS, of ports or of KVM.

/// Bytes of a sector of floppy and hard disks.
pub const SECTOR_SIZE: usize = 512;

/// The disks of a machine.
#[derive(Debug, Default)]
pub struct Disks {}

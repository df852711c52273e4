//! How a disk service ended: the codes that it leaves in AH.

/// A status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 00h: it went well.
    Success,
    /// 01h: a service that does not exist, or a place that the drive does not have.
    InvalidParameter,
    /// 03h: the disk is write-protected.
    WriteProtected,
    /// 06h: the disk may have been changed.
    Changed,
    /// 09h: the buffer crosses a 64 KiB boundary, which DMA cannot.
    DmaBoundary,
    /// 0Ch: there is no such track.
    BadTrack,
    /// 20h: the controller failed; also what a drive without a disk says.
    ControllerFailure,
    /// 31h: there is no disk in the drive.
    MediaMissing,
    /// B0h: the disk is not locked in the drive.
    NotLocked,
    /// B1h: the disk is locked in the drive.
    Locked,
    /// B2h: the disk cannot be taken out.
    NotRemovable,
    /// B4h: it has been locked too often.
    LockedTooOften,
    /// Another one, from the data area.
    Other(u8),
}

const CODES: [(Status, u8); 12] = [
    (Status::Success, 0x00),
    (Status::InvalidParameter, 0x01),
    (Status::WriteProtected, 0x03),
    (Status::Changed, 0x06),
    (Status::DmaBoundary, 0x09),
    (Status::BadTrack, 0x0c),
    (Status::ControllerFailure, 0x20),
    (Status::MediaMissing, 0x31),
    (Status::NotLocked, 0xb0),
    (Status::Locked, 0xb1),
    (Status::NotRemovable, 0xb2),
    (Status::LockedTooOften, 0xb4),
];

impl Status {
    /// What AH has.
    #[must_use]
    pub fn code(self) -> u8 {
        let found = CODES.into_iter().find(|(status, _)| *status == self);
        match (found, self) {
            (Some((_, code)), _) | (None, Status::Other(code)) => code,
            // All of the others are in the table.
            (None, _) => 0xff,
        }
    }

    /// The code and what it means.
    #[must_use]
    pub fn describe(self) -> String {
        let text = match self {
            Status::Success => "success",
            Status::InvalidParameter => "no such service, drive or place",
            Status::WriteProtected => "write-protected",
            Status::Changed => "the disk may have been changed",
            Status::DmaBoundary => "more than 64 KiB, or over a 64 KiB boundary",
            Status::BadTrack => "behind the end of the disk",
            Status::ControllerFailure => "no disk in the drive, or the host cannot access it",
            Status::MediaMissing => "no disk",
            Status::NotLocked => "not locked in the drive",
            Status::Locked => "locked in the drive",
            Status::NotRemovable => "not removable",
            Status::LockedTooOften => "locked too often",
            Status::Other(_) => "none of the firmware's",
        };
        format!("{:02X}h, {text}", self.code())
    }

    /// The status of `code`.
    #[must_use]
    pub fn of_code(code: u8) -> Status {
        let found = CODES.into_iter().find(|(_, number)| *number == code);
        found.map_or(Status::Other(code), |(status, _)| status)
    }
}

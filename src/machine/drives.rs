//! Serving the drives of the ATA channel: sectors of the machine's hard disks, as INT 13h has them.

use super::Machine;
use crate::devices::ata::{DRIVES, Drive, Fault, Request};
use crate::disk::image::AccessError;
use crate::disk::{Disk, Disks, SECTOR_SIZE};

/// The hard disks as drives.
pub(super) fn of(disks: &Disks) -> [Option<Drive>; DRIVES] {
    disks.hard.each_ref().map(|disk| disk.as_ref().map(drive))
}

fn drive(disk: &Disk) -> Drive {
    let size = disk.image.sectors();
    let geometry = disk.geometry.of_drive(size);
    let byte = |number| u8::try_from(number).unwrap_or(u8::MAX);
    Drive {
        cylinders: u16::try_from(geometry.cylinders).unwrap_or(u16::MAX),
        heads: byte(geometry.heads),
        sectors: byte(geometry.sectors),
        size,
    }
}

impl Machine {
    /// Does what the drives wait for.
    pub(super) fn serve_drives(&mut self) {
        while let Some(request) = self.devices.chipset().disk_request() {
            let outcome = self.access_disk(request);
            self.devices.chipset_mut().answer_disk_request(outcome);
            self.note_disk_news();
        }
    }

    fn access_disk(&mut self, request: Request) -> Result<Vec<u8>, Fault> {
        let (Request::Read { drive, .. } | Request::Write { drive, .. }) = request;
        let disk = self.disks.hard.get_mut(drive).and_then(Option::as_mut);
        let image = &mut disk.ok_or(Fault::Refused)?.image;
        let (outcome, fault) = match request {
            Request::Read { sector, count, .. } => {
                let mut data = vec![0; usize::from(count) * SECTOR_SIZE];
                (image.read(sector, &mut data).map(|()| data), Fault::Unreadable)
            }
            Request::Write { sector, .. } => {
                let block = self.devices.chipset().ata().block();
                let written = image.write(sector, block).map(|()| Vec::new());
                self.disks.news.file_written |= image.changes_its_file();
                (written, Fault::Refused)
            }
        };
        outcome.map_err(|error| match &error {
            AccessError::Outside { .. } => Fault::NoSuchSector,
            AccessError::Protected => Fault::Refused,
            AccessError::Host { source, .. } => {
                let text = format!("{error}: {source}; the guest's drive says {}", fault.name());
                self.disks.news.trouble = Some(text);
                fault
            }
        })
    }
}

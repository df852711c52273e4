//! The commands (ATA/ATAPI-6, 8; those of older standards that programs for hard disks still give).

use super::registers::Place;
use super::{
    ABORTED, Channel, DATA_REQUEST, Drive, ID_NOT_FOUND, IDLE, MOST_MULTIPLE, PASSED, Transfer,
    Unit, identify,
};

const DIAGNOSTIC: u8 = 0x90;

/// What a command that does not fail at once comes to.
enum Course {
    /// It is over.
    Done,
    /// Data are read from the medium, or written to it, in blocks of so many sectors.
    Sectors { writes: bool, place: Place, block: u8 },
    /// The drive tells what it is.
    Identity,
}

impl Channel {
    /// Gives `command` to the drive that is selected, which waits for one.
    pub(super) fn command(&mut self, command: u8) {
        if command == DIAGNOSTIC && self.drives.iter().any(Option::is_some) {
            // Both drives do it, whichever is selected.
            self.state.second = false;
            for (unit, drive) in self.state.units.iter_mut().zip(self.drives) {
                let kept = Unit::new(drive);
                (unit.registers, unit.status, unit.error) = (kept.registers, IDLE, PASSED);
            }
            self.state.interrupt = true;
            return;
        }
        let Some(drive) = self.drive() else { return };
        self.unit_mut().error = 0;
        let course = match self.carry_out(command, drive) {
            Ok(course) => course,
            Err(error) => return self.fail(error),
        };
        match course {
            Course::Done => {
                self.unit_mut().status = IDLE;
                self.state.interrupt = true;
            }
            Course::Identity => {
                let unit = self.unit();
                let translation = (unit.heads, unit.sectors);
                let number = self.selected();
                let buffer = identify::words(drive, number, translation, unit.multiple);
                let place = Place::Short;
                self.state.transfer =
                    Some(Transfer { writes: false, place, left: 0, block: 1, buffer, at: 0 });
                self.unit_mut().status = IDLE | DATA_REQUEST;
                self.state.interrupt = true;
            }
            Course::Sectors { writes, place, block } => {
                let left = self.unit().registers.sectors(place);
                let mut transfer =
                    Transfer { writes, place, left, block, buffer: Vec::new(), at: 0 };
                if writes {
                    // The first block is wanted without an interrupt.
                    transfer.buffer = vec![0; usize::from(transfer.count()) * super::SECTOR_SIZE];
                }
                self.state.transfer = Some(transfer);
                self.unit_mut().status = if writes { IDLE | DATA_REQUEST } else { IDLE };
                if !writes {
                    self.ask();
                }
            }
        }
    }

    /// What `command` comes to, or the bits of the error register. What has no data is done here.
    fn carry_out(&mut self, command: u8, drive: Drive) -> Result<Course, u8> {
        use Place::{Extended, Short};
        let sectors = |writes, place, block| Ok(Course::Sectors { writes, place, block });
        let multiple = self.unit().multiple;
        match command {
            // Recalibrate, seek.
            0x10..=0x1f | 0x70..=0x7f => {}
            0x20 | 0x21 => return sectors(false, Short, 1),
            0x24 => return sectors(false, Extended, 1),
            0x30 | 0x31 => return sectors(true, Short, 1),
            0x34 => return sectors(true, Extended, 1),
            0xc4 | 0x29 | 0xc5 | 0x39 if multiple == 0 => return Err(ABORTED),
            0xc4 => return sectors(false, Short, multiple),
            0x29 => return sectors(false, Extended, multiple),
            0xc5 => return sectors(true, Short, multiple),
            0x39 => return sectors(true, Extended, multiple),
            0x40 | 0x41 => self.verify(Short, drive)?,
            0x42 => self.verify(Extended, drive)?,
            0x91 => self.set_translation()?,
            0xc6 => self.set_multiple()?,
            0xec => return Ok(Course::Identity),
            0xef => self.set_features()?,
            0xf8 => self.name_last(Short, drive),
            0x27 => self.name_last(Extended, drive),
            // The power mode: active.
            0x98 | 0xe5 => self.unit_mut().registers.set_count(0xff),
            // Idle, standby, sleep: from all of which it is back at once. Flush cache, which is always empty.
            0x94..=0x97 | 0x99 | 0xe0..=0xe3 | 0xe6 | 0xe7 | 0xea => {}
            _ => return Err(ABORTED),
        }
        Ok(Course::Done)
    }

    fn verify(&self, place: Place, drive: Drive) -> Result<(), u8> {
        let count = self.unit().registers.sectors(place);
        self.sector(place, count.into(), drive).map(|_| ()).ok_or(ID_NOT_FOUND)
    }

    /// Initialize device parameters: the translation from then on.
    fn set_translation(&mut self) -> Result<(), u8> {
        let unit = self.unit_mut();
        let sectors = unit.registers.count();
        if sectors == 0 {
            return Err(ABORTED);
        }
        (unit.heads, unit.sectors) = (unit.registers.head() + 1, sectors);
        Ok(())
    }

    /// Set multiple mode: a power of two, or 0 for none.
    fn set_multiple(&mut self) -> Result<(), u8> {
        let unit = self.unit_mut();
        let count = unit.registers.count();
        if count > MOST_MULTIPLE || !(count == 0 || count.is_power_of_two()) {
            return Err(ABORTED);
        }
        unit.multiple = count;
        Ok(())
    }

    /// Set features: what makes no difference here is agreed to.
    fn set_features(&self) -> Result<(), u8> {
        const TRANSFER_MODE: u8 = 0x03;
        match self.unit().features {
            // Programmed transfers, of any speed; no DMA.
            TRANSFER_MODE if matches!(self.unit().registers.count(), 0 | 1 | 0x08..=0x0c) => Ok(()),
            0x02 | 0x05 | 0x42 | 0x55 | 0x66 | 0x67 | 0x69 | 0x82 | 0x85 | 0x96 | 0x9a | 0xaa
            | 0xc2 | 0xcc => Ok(()),
            _ => Err(ABORTED),
        }
    }

    /// Read native max address: the registers name the last sector.
    fn name_last(&mut self, place: Place, drive: Drive) {
        let most = match place {
            Place::Short => identify::MOST_SHORT,
            Place::Extended => identify::MOST_EXTENDED,
        };
        let last = drive.size.min(most).saturating_sub(1);
        let unit = self.unit_mut();
        unit.registers.set_sector(last, place, unit.heads, unit.sectors);
    }
}

//! The channel against ATA/ATAPI-6, with a disk in memory behind it.

use super::*;

const DATA_READY: u8 = IDLE | DATA_REQUEST;
const SIZE: u64 = 40_000;

/// A channel whose owner keeps the sectors of both drives; each sector begins with its number and its drive.
struct Bench {
    channel: Channel,
    disks: [Vec<[u8; SECTOR_SIZE]>; DRIVES],
    /// What the owner says instead of serving.
    fault: Option<Fault>,
}

fn drive() -> Drive {
    Drive { cylinders: 39, heads: 16, sectors: 63, size: SIZE }
}

impl Bench {
    fn new(drives: [Option<Drive>; DRIVES]) -> Bench {
        let disks = [0, 1].map(|number| {
            let sector = |at: u64| {
                let mut sector = [0; SECTOR_SIZE];
                sector[..8].copy_from_slice(&at.to_le_bytes());
                sector[8] = number;
                sector
            };
            (0..SIZE).map(sector).collect()
        });
        Bench { channel: Channel::new(drives), disks, fault: None }
    }

    fn one() -> Bench {
        Bench::new([Some(drive()), None])
    }

    fn serve(&mut self) {
        let Some(request) = self.channel.request() else { return };
        let outcome = match (self.fault, request) {
            (Some(fault), _) => Err(fault),
            (None, Request::Read { drive, sector, count }) => {
                let first = sector as usize;
                Ok(self.disks[drive][first..first + usize::from(count)].concat())
            }
            (None, Request::Write { drive, sector }) => {
                let blocks = self.channel.block().chunks_exact(SECTOR_SIZE);
                for (at, block) in (sector as usize..).zip(blocks) {
                    self.disks[drive][at].copy_from_slice(block);
                }
                Ok(Vec::new())
            }
        };
        self.channel.answer(outcome);
    }

    fn write(&mut self, offset: u16, value: u8) {
        self.channel.write(offset, value);
        self.serve();
    }

    fn status(&mut self) -> u8 {
        self.channel.read(STATUS)
    }

    /// The status once the drive is not busy.
    fn wait(&mut self) -> u8 {
        loop {
            let status = self.status();
            if status & BUSY == 0 {
                return status;
            }
        }
    }

    fn error(&mut self) -> u8 {
        self.channel.read(ERROR)
    }

    /// Gives `command` for `count` sectors from `sector` on, by a number of 28 bits.
    fn command(&mut self, command: u8, sector: u64, count: u8) {
        let [low, mid, high, top, ..] = sector.to_le_bytes();
        let device = self.channel.read(DEVICE) & 0x10;
        for (offset, value) in [(2, count), (3, low), (4, mid), (5, high), (6, 0xe0 | device | top)]
        {
            self.write(offset, value);
        }
        self.write(STATUS, command);
    }

    fn words(&mut self, count: usize) -> Vec<u16> {
        let mut words = Vec::new();
        for _ in 0..count {
            words.push(self.channel.read_data(2) as u16);
            self.serve();
        }
        words
    }

    fn send(&mut self, word: u16, count: usize) {
        for _ in 0..count {
            self.channel.write_data(2, word.into());
            self.serve();
        }
    }

    fn place(&mut self) -> [u8; 5] {
        [2, 3, 4, 5, 6].map(|offset| self.channel.read(offset))
    }
}

fn text(words: &[u16]) -> String {
    words.iter().flat_map(|word| word.to_be_bytes()).map(char::from).collect()
}

#[test]
fn a_drive_that_is_there_shows_its_signature_and_one_that_is_not_has_no_status() {
    let mut bench = Bench::one();
    assert_eq!((bench.status(), bench.error()), (IDLE, PASSED));
    assert_eq!(bench.place(), [1, 1, 0, 0, 0xa0]);
    bench.write(DEVICE, 0xb0);
    assert_eq!((bench.status(), bench.channel.read_control(), bench.error()), (0, 0, 0));
    bench.write(STATUS, 0xec);
    assert_eq!((bench.status(), bench.channel.interrupt()), (0, false));
    assert_eq!(bench.words(1), [0]);
    bench.write(DEVICE, 0xa0);
    assert_eq!(bench.status(), IDLE);
}

#[test]
fn a_channel_without_drives_is_never_busy_and_does_nothing() {
    let mut bench = Bench::new([None, None]);
    for drive in [0xa0, 0xb0] {
        bench.write(6, drive);
        for command in [0x20, 0xec, 0x90] {
            bench.write(STATUS, command);
            assert!(!bench.channel.interrupt());
            assert_eq!((bench.channel.read(STATUS), bench.channel.read_control()), (0, 0));
        }
    }
}

#[test]
fn a_slave_without_a_master_is_found_where_it_is() {
    let mut bench = Bench::new([None, Some(drive())]);
    assert_eq!(bench.status(), 0);
    bench.write(DEVICE, 0xf0);
    bench.command(0x20, 7, 1);
    assert_eq!(bench.wait(), DATA_READY);
    assert_eq!(bench.words(5)[..], [7, 0, 0, 0, 1]);
}

#[test]
fn registers_keep_what_is_written_and_what_was_before() {
    let mut bench = Bench::one();
    for value in [0x12, 0x34] {
        (2..6).for_each(|offset| bench.write(offset, value));
    }
    assert_eq!(bench.place()[..4], [0x34; 4]);
    bench.channel.write_control(HIGH_ORDER);
    assert_eq!(bench.place()[..4], [0x12; 4]);
    bench.write(2, 1);
    assert_eq!(bench.place()[..2], [1, 0x34]);
}

#[test]
fn a_drive_tells_what_it_is() {
    let mut bench = Bench::one();
    bench.write(STATUS, 0xec);
    assert!(bench.channel.interrupt());
    assert_eq!(bench.status(), DATA_READY);
    assert!(!bench.channel.interrupt());
    let words = bench.words(256);
    assert_eq!(bench.status(), IDLE);
    assert_eq!((words[0], words[1], words[3], words[6]), (0x40, 39, 16, 63));
    assert_eq!(text(&words[27..47]).trim_end(), "STEPVISOR DISK");
    assert_eq!(text(&words[10..20]).trim_end(), "SV000001");
    assert_eq!((words[60], words[61]), (SIZE as u16, 0));
    assert_eq!(words[100..104], [SIZE as u16, 0, 0, 0]);
    assert_eq!((words[47], words[59]), (0x8010, 0x0110));
    // LBA, but no DMA of any kind.
    assert_eq!((words[49] & 0x0300, words[62], words[63], words[88]), (0x0200, 0, 0, 0));
    assert_eq!((words[54], words[55], words[56]), (39, 16, 63));
    assert_eq!(u32::from(words[57]) | u32::from(words[58]) << 16, 39 * 16 * 63);
}

#[test]
fn sectors_are_read_one_by_one_each_with_an_interrupt() {
    let mut bench = Bench::one();
    bench.command(0x20, 0x1234, 2);
    assert_eq!(bench.status(), BUSY | IDLE);
    assert!(bench.channel.interrupt());
    assert_eq!(bench.status(), DATA_READY);
    assert!(!bench.channel.interrupt());
    assert_eq!(bench.place(), [1, 0x35, 0x12, 0, 0xe0]);
    assert_eq!(bench.words(256)[..5], [0x1234, 0, 0, 0, 0]);
    assert_eq!(bench.status(), BUSY | IDLE);
    assert_eq!(bench.channel.read_control(), DATA_READY);
    assert!(bench.channel.interrupt());
    assert_eq!(bench.channel.read_data(4), 0x1235);
    bench.words(254);
    assert_eq!(bench.wait(), IDLE);
    assert!(!bench.channel.interrupt());
    assert_eq!(bench.words(1), [0]);
}

#[test]
fn a_drive_that_nobody_looks_at_is_done_in_its_time() {
    let mut bench = Bench::one();
    bench.channel.pass(Time(5));
    bench.command(0x20, 0, 1);
    assert_eq!(bench.channel.next_interrupt(), Some(Time(5 + ACCESS_TIME)));
    assert!(!bench.channel.interrupt());
    bench.channel.complete();
    assert!(bench.channel.interrupt());
    assert_eq!(bench.channel.next_interrupt(), None);
    // Data that are read at once are there.
    bench.words(256);
    bench.command(0x20, 9, 1);
    assert_eq!(bench.words(1), [9]);
}

#[test]
fn a_count_of_zero_is_256_sectors() {
    let mut bench = Bench::one();
    bench.command(0x20, 100, 0);
    for sector in 100..356 {
        assert_eq!(bench.wait(), DATA_READY);
        assert_eq!(bench.words(256)[0], sector);
    }
    assert_eq!(bench.wait(), IDLE);
    assert_eq!(bench.place(), [0, 100, 1, 0, 0xe0]);
}

#[test]
fn multiple_sectors_come_in_blocks() {
    let mut bench = Bench::one();
    bench.write(2, 4);
    bench.write(STATUS, 0xc6);
    assert_eq!(bench.status(), IDLE);
    bench.command(0xc4, 10, 6);
    assert_eq!(bench.wait(), DATA_READY);
    let words = bench.words(4 * 256);
    assert_eq!([words[0], words[256], words[768]], [10, 11, 13]);
    assert_eq!(bench.wait(), DATA_READY);
    assert_eq!(bench.words(2 * 256)[256], 15);
    assert_eq!(bench.wait(), IDLE);
    for (count, status) in [(3, READY | FAILED), (32, READY | FAILED), (0, IDLE)] {
        bench.write(2, count);
        bench.write(STATUS, 0xc6);
        assert_eq!(bench.status(), status, "{count}");
    }
    bench.command(0xc4, 10, 6);
    assert_eq!((bench.status(), bench.error()), (READY | FAILED, ABORTED));
}

#[test]
fn sectors_are_written_when_they_are_whole() {
    let mut bench = Bench::one();
    for (command, first) in [(0x30, 50), (0xc5, 60)] {
        bench.command(command, first, 2);
        assert_eq!(bench.status(), DATA_READY);
        assert!(!bench.channel.interrupt());
        bench.send(0x5aa5, 512);
        assert_eq!(bench.wait(), IDLE);
        for sector in [first, first + 1] {
            assert_eq!(bench.disks[0][sector as usize][..2], [0xa5, 0x5a]);
        }
        assert_eq!(bench.disks[0][first as usize + 2][0], first as u8 + 2);
    }
    bench.command(0x30, 70, 2);
    bench.send(0, 256);
    assert_eq!(bench.status(), BUSY | IDLE);
    assert!(bench.channel.interrupt());
    assert_eq!(bench.status(), DATA_READY);
}

#[test]
fn sectors_are_named_by_cylinder_and_head_as_well() {
    let mut bench = Bench::one();
    for (offset, value) in [(2, 1), (3, 63), (4, 2), (5, 0), (6, 0xaf), (7, 0x20)] {
        bench.write(offset, value);
    }
    assert_eq!(bench.wait(), DATA_READY);
    assert_eq!(bench.words(256)[0], (2 * 16 + 15) * 63 + 62);
    assert_eq!(bench.place(), [0, 1, 3, 0, 0xa0]);
    // Of 4 heads and 10 sectors.
    for (offset, value) in [(2, 10), (6, 0xa3), (7, 0x91), (2, 1), (3, 10), (7, 0x20)] {
        bench.write(offset, value);
    }
    assert_eq!(bench.wait(), DATA_READY);
    assert_eq!(bench.words(256)[0], (3 * 4 + 3) * 10 + 9);
    for (offset, value) in [(2, 1), (3, 11), (7, 0x20)] {
        bench.write(offset, value);
    }
    assert_eq!((bench.wait(), bench.error()), (READY | FAILED, ID_NOT_FOUND));
}

#[test]
fn sectors_are_named_by_48_bits() {
    let mut bench = Bench::one();
    // The upper bytes first.
    for (offset, value) in [(2, 0), (3, 0), (4, 0), (5, 0), (2, 2), (3, 0x34), (4, 0x12), (5, 0)] {
        bench.write(offset, value);
    }
    bench.write(6, 0xe0);
    bench.write(7, 0x24);
    assert_eq!(bench.wait(), DATA_READY);
    assert_eq!(bench.words(256)[0], 0x1234);
    assert_eq!(bench.wait(), DATA_READY);
    assert_eq!(bench.words(256)[0], 0x1235);
    for (offset, value) in [(3, 1), (3, 0), (6, 0xe0), (7, 0x24)] {
        bench.write(offset, value);
    }
    assert_eq!((bench.wait(), bench.error()), (READY | FAILED, ID_NOT_FOUND));
    bench.write(7, 0x27);
    assert_eq!(bench.status(), IDLE);
    let [low, mid, ..] = (SIZE - 1).to_le_bytes();
    assert_eq!(bench.place()[1..4], [low, mid, 0]);
}

#[test]
fn what_is_behind_the_end_or_cannot_be_read_fails() {
    let mut bench = Bench::one();
    bench.command(0x20, SIZE - 1, 2);
    assert_eq!(bench.wait(), DATA_READY);
    bench.words(256);
    assert_eq!((bench.wait(), bench.error()), (READY | FAILED, ID_NOT_FOUND));
    assert!(bench.channel.state.transfer.is_none());
    bench.command(0x40, SIZE - 1, 2);
    assert_eq!((bench.wait(), bench.error()), (READY | FAILED, ID_NOT_FOUND));
    bench.command(0x40, SIZE - 1, 1);
    assert_eq!((bench.wait(), bench.error()), (IDLE, 0));
    bench.command(0x30, SIZE, 1);
    bench.send(0, 256);
    assert_eq!((bench.wait(), bench.error()), (READY | FAILED, ID_NOT_FOUND));
    for (fault, bit) in [(Fault::Unreadable, UNCORRECTABLE), (Fault::Refused, ABORTED)] {
        bench.fault = Some(fault);
        bench.command(0x20, 77, 1);
        assert_eq!((bench.wait(), bench.error()), (READY | FAILED, bit));
        // The registers still name the sector.
        assert_eq!(bench.place(), [1, 77, 0, 0, 0xe0]);
    }
}

#[test]
fn commands_without_data_are_done_or_aborted() {
    let done =
        [0x10, 0x1f, 0x70, 0x94, 0x95, 0x96, 0x97, 0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6, 0xe7, 0xea];
    let aborted = [0x00, 0x08, 0xa0, 0xa1, 0xb0, 0xc8, 0xca, 0x25, 0x35, 0xf5, 0xff];
    for (commands, status, error) in [(&done[..], IDLE, 0), (&aborted, READY | FAILED, ABORTED)] {
        for command in commands {
            let mut bench = Bench::one();
            bench.write(STATUS, *command);
            assert!(bench.channel.interrupt(), "{command:x}");
            assert_eq!((bench.status(), bench.error()), (status, error), "{command:x}");
        }
    }
    let mut bench = Bench::one();
    bench.write(STATUS, 0xe5);
    assert_eq!(bench.place()[0], 0xff);
    bench.write(DEVICE, 0xe0);
    bench.write(STATUS, 0xf8);
    assert_eq!(u64::from(bench.place()[1]) | u64::from(bench.place()[2]) << 8, SIZE - 1);
    for (feature, count, status) in [
        (0x02, 0, IDLE),
        (0x03, 0x0c, IDLE),
        (0x03, 0x42, READY | FAILED),
        (0x77, 0, READY | FAILED),
    ] {
        bench.write(ERROR, feature);
        bench.write(2, count);
        bench.write(STATUS, 0xef);
        assert_eq!(bench.status(), status, "{feature:x}");
    }
}

#[test]
fn a_reset_and_a_self_test_bring_the_signature_back() {
    let mut bench = Bench::new([Some(drive()), Some(drive())]);
    bench.write(DEVICE, 0xf0);
    bench.command(0x20, 5, 1);
    bench.channel.write_control(RESET);
    assert_eq!(bench.channel.read_control(), BUSY | IDLE);
    bench.write(2, 9);
    bench.channel.write_control(0);
    assert_eq!((bench.status(), bench.error()), (IDLE, PASSED));
    assert_eq!(bench.place(), [1, 1, 0, 0, 0xa0]);
    assert_eq!(bench.words(1), [0]);
    bench.write(DEVICE, 0xf0);
    bench.write(2, 9);
    bench.write(STATUS, 0x90);
    assert!(bench.channel.interrupt());
    assert_eq!((bench.status(), bench.error()), (IDLE, PASSED));
    assert_eq!(bench.place(), [1, 1, 0, 0, 0xa0]);
}

#[test]
fn interrupts_are_held_back_until_they_are_let_or_taken_back() {
    let mut bench = Bench::one();
    bench.channel.write_control(NO_INTERRUPT);
    bench.write(STATUS, 0xe7);
    assert!(!bench.channel.interrupt());
    bench.channel.write_control(0);
    assert!(bench.channel.interrupt());
    bench.write(STATUS, 0xe7);
    assert!(bench.channel.interrupt());
    bench.channel.read_control();
    assert!(bench.channel.interrupt());
    bench.status();
    assert!(!bench.channel.interrupt());
}

#[test]
fn what_is_written_to_the_registers_during_a_transfer_is_lost() {
    let mut bench = Bench::one();
    bench.command(0x20, 3, 1);
    bench.wait();
    for (offset, value) in [(2, 9), (3, 9), (6, 0xf0), (7, 0xe7)] {
        bench.write(offset, value);
    }
    assert_eq!(bench.status(), DATA_READY);
    assert_eq!(bench.words(256)[0], 3);
    assert_eq!(bench.place(), [0, 4, 0, 0, 0xe0]);
}

#[test]
fn a_byte_of_the_data_is_nothing() {
    let mut bench = Bench::one();
    bench.command(0x20, 3, 1);
    bench.wait();
    assert_eq!(bench.channel.read(0), OPEN_BUS);
    assert_eq!(bench.words(1), [3]);
}

#[test]
fn the_channel_is_described_in_a_line() {
    let mut bench = Bench::one();
    let idle = "ATA channel: master selected, status 50, error 01, IRQ 14 idle\n";
    assert_eq!(bench.channel.describe(), idle);
    bench.command(0x20, 3, 1);
    bench.channel.read_control();
    bench.words(100);
    let reads = "ATA channel: master selected, status 58, error 00, 200 of 512 bytes read, IRQ 14 requested\n";
    assert_eq!(bench.channel.describe(), reads);
}

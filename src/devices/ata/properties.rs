//! Reads and writes of a driver against a plain array of sectors, in all the ways in which they can be asked for.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SIZE: usize = 600;
const DRIVE: Drive = Drive { cylinders: 5, heads: 4, sectors: 30, size: SIZE as u64 };

#[derive(Clone, Copy, Debug)]
struct Access {
    writes: bool,
    sector: usize,
    count: usize,
    /// By cylinder and head, by 28 bits, by 48 bits.
    way: u8,
    multiple: Option<u8>,
    wide: bool,
    /// Whether the driver waits for interrupts and does not look.
    interrupts: bool,
    value: u8,
}

fn access() -> impl Strategy<Value = Access> {
    let multiple = prop_oneof![Just(None), (0..5_u8).prop_map(|bits| Some(1 << bits))];
    let how = (0..3_u8, multiple, any::<bool>(), any::<bool>());
    (any::<bool>(), 0..SIZE, 1..40_usize, how, any::<u8>()).prop_map(
        |(writes, sector, count, (way, multiple, wide, interrupts), value)| Access {
            writes,
            sector,
            count,
            way,
            multiple,
            wide,
            interrupts,
            value,
        },
    )
}

fn serve(channel: &mut Channel, disk: &mut [[u8; SECTOR_SIZE]]) {
    let outcome = match channel.request() {
        None => return,
        Some(Request::Read { sector, count, .. }) => {
            Ok(disk[sector as usize..][..usize::from(count)].concat())
        }
        Some(Request::Write { sector, .. }) => {
            for (to, from) in
                disk[sector as usize..].iter_mut().zip(channel.block().chunks(SECTOR_SIZE))
            {
                to.copy_from_slice(from);
            }
            Ok(Vec::new())
        }
    };
    channel.answer(outcome);
}

fn command(access: Access) -> u8 {
    match (access.writes, access.multiple.is_some(), access.way == 2) {
        (false, false, false) => 0x20,
        (false, false, true) => 0x24,
        (false, true, false) => 0xc4,
        (false, true, true) => 0x29,
        (true, false, false) => 0x30,
        (true, false, true) => 0x34,
        (true, true, false) => 0xc5,
        (true, true, true) => 0x39,
    }
}

fn name(channel: &mut Channel, access: Access) {
    let Access { sector, count, .. } = access;
    let [low, high, ..] = sector.to_le_bytes();
    let registers = match access.way {
        0 => {
            let [cylinder, rest] = [sector / 120, sector % 120];
            [count as u8, (rest % 30) as u8 + 1, cylinder as u8, 0, 0xa0 | (rest / 30) as u8]
        }
        1 => [count as u8, low, high, 0, 0xe0],
        _ => {
            (2..6).for_each(|offset| channel.write(offset, 0));
            [count as u8, low, high, 0, 0xe0]
        }
    };
    for (offset, value) in (2..).zip(registers) {
        channel.write(offset, value);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_driver_reads_what_is_there_and_what_it_wrote(accesses in vec(access(), 1..12)) {
        let mut model: Vec<[u8; SECTOR_SIZE]> =
            (0..SIZE).map(|at| [(at % 251) as u8; SECTOR_SIZE]).collect();
        let mut disk = model.clone();
        let mut channel = Channel::new([Some(DRIVE), None]);
        for access in accesses {
            if let Some(multiple) = access.multiple {
                channel.write(2, multiple);
                channel.write(STATUS, 0xc6);
            }
            name(&mut channel, access);
            channel.write(STATUS, command(access));
            serve(&mut channel, &mut disk);
            let block = access.multiple.map_or(1, usize::from);
            let mut sector = access.sector;
            let end = access.sector + access.count;
            while sector < end {
                let count = block.min(end - sector);
                let fits = sector + count <= SIZE;
                if !(access.writes && sector == access.sector) && fits && access.interrupts {
                    channel.complete();
                    prop_assert!(channel.interrupt());
                }
                let mut status = channel.read(STATUS);
                if status & BUSY != 0 {
                    status = channel.read(STATUS);
                }
                if !access.writes && !fits {
                    prop_assert_eq!((status, channel.read(ERROR)), (READY | FAILED, ID_NOT_FOUND));
                    break;
                }
                prop_assert_eq!(status, IDLE | DATA_REQUEST);
                let width = if access.wide { 4 } else { 2 };
                let mut data = Vec::new();
                for _ in 0..count * SECTOR_SIZE / width {
                    if access.writes {
                        channel.write_data(width, u32::from_le_bytes([access.value; 4]));
                    } else {
                        data.extend_from_slice(&channel.read_data(width).to_le_bytes()[..width]);
                    }
                }
                serve(&mut channel, &mut disk);
                if !access.writes {
                    prop_assert_eq!(data, model[sector..sector + count].concat());
                } else if fits {
                    model[sector..sector + count].fill([access.value; SECTOR_SIZE]);
                } else {
                    prop_assert_eq!((channel.read(STATUS), channel.read(ERROR)), (READY | FAILED, ID_NOT_FOUND));
                    break;
                }
                sector += count;
            }
            channel.read(STATUS);
            prop_assert_eq!(channel.read(STATUS) & (BUSY | DATA_REQUEST), 0);
            prop_assert!(disk == model);
        }
    }
}

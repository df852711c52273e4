//! Any sequence of accesses to ports, with time between them, has an outcome, and a saved state goes on like the
//! one that it was saved from.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Act {
    Read(u16, u8),
    Write(u16, u8, u32),
    Pass(u64),
    Acknowledge,
    /// Reads of a drive's data.
    Drain(u16),
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![
        1 => any::<u16>(),
        2 => prop_oneof![2 => Just(0x1f0_u16), 1 => Just(0x170), 1 => Just(0x3f0), 1 => Just(0xcf8), 1 => Just(0x1ce)]
            .prop_flat_map(|first| first..first + 8),
        8 => prop_oneof![0x20..0x22_u16, 0x40..0x44_u16, 0x60..0x65_u16, 0x70..0x72_u16],
        3 => prop_oneof![0xa0..0xa2_u16, 0x2f8..0x300_u16, 0x3f8..0x400_u16, 0x80..0x93_u16],
        4 => 0x3b0..0x3e0_u16,
    ]
}

/// Mostly what drives know.
fn command() -> impl Strategy<Value = Act> {
    let known = prop_oneof![
        Just(0x20_u32),
        Just(0x24),
        Just(0x29),
        Just(0x30),
        Just(0x39),
        Just(0x90),
        Just(0x91),
        Just(0xc4),
        Just(0xc5),
        Just(0xc6),
        Just(0xec),
        Just(0xef),
        Just(0xf8),
        any::<u32>(),
    ];
    known.prop_map(|command| Act::Write(ata::PORT + 7, 1, command))
}

fn act() -> impl Strategy<Value = Act> {
    let size = prop_oneof![6 => Just(1_u8), 2 => Just(2), 1 => Just(4)];
    let value = prop_oneof![0..0x100_u32, any::<u32>()];
    let time = prop_oneof![0..2_000_u64, 0..50_000_000_u64, any::<u64>().prop_map(|ns| ns >> 8)];
    prop_oneof![
        4 => (port(), size.clone()).prop_map(|(port, size)| Act::Read(port, size)),
        5 => (port(), size, value).prop_map(|(port, size, value)| Act::Write(port, size, value)),
        2 => time.prop_map(Act::Pass),
        1 => Just(Act::Acknowledge),
        1 => (0..400_u16).prop_map(Act::Drain),
        3 => command(),
    ]
}

/// With two drives, one of them small.
fn with_drives() -> Devices {
    let mut devices = devices();
    let drive = |size| Some(ata::Drive { cylinders: 2, heads: 16, sectors: 63, size });
    devices.attach_drives([drive(1), drive(1 << 40)]);
    devices
}

/// The owner of the disks, which are full of their sectors' numbers; some sectors cannot be read or written.
fn serve(devices: &mut Devices) {
    while let Some(request) = devices.chipset().disk_request() {
        let (ata::Request::Read { sector, .. } | ata::Request::Write { sector, .. }) = request;
        let outcome = match request {
            _ if sector % 8 == 7 => Err(ata::Fault::Unreadable),
            ata::Request::Read { count, .. } => {
                Ok(vec![(sector & 0xff) as u8; usize::from(count) * ata::SECTOR_SIZE])
            }
            ata::Request::Write { .. } => Ok(Vec::new()),
        };
        devices.chipset_mut().answer_disk_request(outcome);
    }
}

/// What the guest and the owner see of it.
fn perform(devices: &mut Devices, act: &Act) -> String {
    let seen = match *act {
        Act::Drain(count) => {
            let mut read = Vec::new();
            for _ in 0..count {
                read.push(devices.port_read(ata::PORT, 4));
                serve(devices);
            }
            format!("{read:x?}")
        }
        Act::Read(port, size) => format!("{:x?}", devices.port_read(port, size)),
        Act::Write(port, size, value) => format!("{:?}", devices.port_write(port, size, value)),
        Act::Pass(nanoseconds) => {
            devices.pass(nanoseconds);
            format!("{:?} {:?}", devices.chipset().interrupt(), devices.chipset().next_interrupt())
        }
        Act::Acknowledge if devices.chipset().interrupt() => {
            format!("{:x}", devices.chipset_mut().acknowledge())
        }
        Act::Acknowledge => String::new(),
    };
    serve(devices);
    devices.chipset_mut().complete_disk_access();
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn any_accesses_have_an_outcome_and_a_saved_state_goes_on_alike(
        before in vec(act(), 1..200),
        after in vec(act(), 1..100),
    ) {
        let mut devices = with_drives();
        for act in &before {
            perform(&mut devices, act);
        }
        let saved = devices.save();
        let mut other = with_drives();
        other.restore(&saved).unwrap();
        prop_assert_eq!(&other.save(), &saved);
        for act in &after {
            prop_assert_eq!(perform(&mut devices, act), perform(&mut other, act), "{:?}", act);
        }
        prop_assert!(devices.save() == other.save());
    }
}

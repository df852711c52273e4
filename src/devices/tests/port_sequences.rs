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
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![
        1 => any::<u16>(),
        2 => prop_oneof![Just(0x1f0_u16), Just(0x170), Just(0x3f0), Just(0xcf8), Just(0x1ce)]
            .prop_flat_map(|first| first..first + 8),
        8 => prop_oneof![0x20..0x22_u16, 0x40..0x44_u16, 0x60..0x65_u16, 0x70..0x72_u16],
        3 => prop_oneof![0xa0..0xa2_u16, 0x2f8..0x300_u16, 0x3f8..0x400_u16, 0x80..0x93_u16],
        4 => 0x3b0..0x3e0_u16,
    ]
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
    ]
}

/// What the guest and the owner see of it.
fn perform(devices: &mut Devices, act: &Act) -> String {
    match *act {
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
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn any_accesses_have_an_outcome_and_a_saved_state_goes_on_alike(
        before in vec(act(), 1..200),
        after in vec(act(), 1..100),
    ) {
        let mut devices = devices();
        for act in &before {
            perform(&mut devices, act);
        }
        let saved = devices.save();
        let mut other = super::devices();
        other.restore(&saved).unwrap();
        prop_assert_eq!(&other.save(), &saved);
        for act in &after {
            prop_assert_eq!(perform(&mut devices, act), perform(&mut other, act), "{:?}", act);
        }
        prop_assert!(devices.save() == other.save());
    }
}

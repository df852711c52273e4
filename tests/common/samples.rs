//! The guests that the project ships, and what a user sees of them.

use stepvisor::devices::keyboard::keymap;
use stepvisor::disk::{self, Disks};
use stepvisor::machine::{Boot, Image, Machine};
use stepvisor::x86::{Phys, SegOff};

/// One shipped guest.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub name: &'static str,
    pub bin: &'static [u8],
    pub elf: &'static [u8],
    pub load: u64,
    pub entry: SegOff,
    /// The text on its screen at the end.
    pub screen: &'static str,
    /// What it writes to its debug console.
    pub console: &'static str,
    /// What it sends on COM1.
    pub serial: &'static str,
    /// What is typed on its keyboard.
    pub keys: &'static str,
    pub end: End,
    /// It calls the firmware.
    pub needs_firmware: bool,
    /// Which drive it has to be, if it reads itself.
    pub drive: Option<u8>,
}

/// How a guest ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// HLT with interrupts off.
    Halt,
    /// A triple fault.
    Shutdown,
    /// Not at all.
    Never,
}

macro_rules! sample {
    ($name:literal) => {
        Sample {
            name: $name,
            bin: include_bytes!(concat!("../../guests/bin/", $name, ".bin")),
            elf: include_bytes!(concat!("../../guests/bin/", $name, ".elf")),
            load: 0x7c00,
            entry: SegOff::new(0, 0x7c00),
            screen: include_str!(concat!("../screens/", $name, ".txt")),
            console: "",
            serial: "",
            keys: "",
            end: End::Halt,
            needs_firmware: false,
            drive: None,
        }
    };
    ($name:literal on firmware) => {
        Sample { needs_firmware: true, ..sample!($name) }
    };
}

/// All of them.
pub const SAMPLES: [Sample; 38] = [
    sample!("a20"),
    Sample { end: End::Never, ..sample!("addloop") },
    Sample { load: 0, entry: SegOff::new(0, 0), ..sample!("banner") },
    sample!("calls"),
    sample!("cga"),
    sample!("colours"),
    Sample { serial: "Hello from INT 14h", ..sample!("com1" on firmware) },
    sample!("crtc"),
    sample!("cs07c0"),
    sample!("demo"),
    Sample { drive: Some(0), ..sample!("disk" on firmware) },
    sample!("faults"),
    sample!("font"),
    sample!("hello"),
    sample!("int"),
    sample!("irq32"),
    sample!("irq64"),
    Sample { keys: "Hello, world{Up}{Esc}", ..sample!("keyboard") },
    Sample { keys: "ab{Up}{Esc}", ..sample!("keyirq") },
    Sample { drive: Some(0x80), ..sample!("lba" on firmware) },
    sample!("long"),
    sample!("mode13h"),
    sample!("modes"),
    sample!("modex"),
    sample!("pages" on firmware),
    sample!("pixels" on firmware),
    Sample { console: "FF00AA", ..sample!("planar") },
    Sample {
        console: "Port E9, byte by byte.\nPort E9, all at once by rep outsb.\n!",
        ..sample!("portio")
    },
    sample!("protected"),
    sample!("retrace"),
    sample!("scroll"),
    Sample { serial: "Hello from COM1!\r\n", ..sample!("serial") },
    sample!("teletype" on firmware),
    sample!("ticks"),
    sample!("timer"),
    Sample { end: End::Shutdown, ..sample!("triple") },
    sample!("vbebanked" on firmware),
    sample!("vbelinear" on firmware),
];

/// The one called `name`.
pub fn sample(name: &str) -> Sample {
    *SAMPLES.iter().find(|sample| sample.name == name).expect("a shipped guest")
}

impl Sample {
    /// A machine with default devices that boots it, and types what it asks for.
    pub fn machine(&self) -> Machine {
        let mut machine = if self.needs_firmware {
            let disk = disk::Image::from_bytes(self.bin);
            let mut disks = Disks::default();
            let boot = Boot::from_flat(self.bin.to_vec(), disk, self.drive, &mut disks);
            super::machine_with_firmware(boot, disks)
        } else {
            super::machine(self.boot())
        };
        machine.type_at_start(keymap::parse(self.keys).unwrap()).unwrap();
        machine
    }

    /// As a flat image.
    pub fn boot(&self) -> Boot {
        Boot {
            load: Some(Phys(self.load)),
            entry: Some(self.entry),
            ..Boot::new(Image::parse(self.bin).expect("image"))
        }
    }
}

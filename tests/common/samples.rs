//! The guests that the project ships, and what a user sees of them.

use stepvisor::bios::Ending;
use stepvisor::devices::keyboard::keymap;
use stepvisor::disk::{self, CD_SECTOR_SIZE, Disks, SECTOR_SIZE};
use stepvisor::machine::bootable::{CD_ROM, Order};
use stepvisor::machine::{Boot, Image, Machine, Typing};
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
    /// To the firmware.
    Leaves(Ending),
    /// A reset by a port.
    Resets,
    /// The exit port, with this exit code.
    Exits(u32),
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
pub const SAMPLES: [Sample; 99] = [
    sample!("a20"),
    sample!("a20bios" on firmware),
    Sample { end: End::Never, ..sample!("addloop") },
    sample!("apic" on firmware),
    Sample { drive: Some(0x80), ..sample!("ata" on firmware) },
    Sample { load: 0, entry: SegOff::new(0, 0), ..sample!("banner") },
    sample!("blockmove" on firmware),
    Sample { end: End::Leaves(Ending::Bootstrap), ..sample!("bootagain" on firmware) },
    sample!("calls"),
    Sample { drive: Some(CD_ROM), ..sample!("cdrom" on firmware) },
    sample!("cga"),
    sample!("cmos" on firmware),
    sample!("colours"),
    Sample { serial: "Hello from INT 14h", ..sample!("com1" on firmware) },
    sample!("counter" on firmware),
    sample!("crtc"),
    sample!("cs07c0"),
    sample!("cursor" on firmware),
    sample!("dac" on firmware),
    sample!("demo"),
    Sample { drive: Some(0), ..sample!("disk" on firmware) },
    Sample { drive: Some(0), ..sample!("diskerrors" on firmware) },
    Sample { drive: Some(0), ..sample!("diskette" on firmware) },
    sample!("displays" on firmware),
    sample!("ega" on firmware),
    sample!("entry" on firmware),
    sample!("eventwait" on firmware),
    Sample { end: End::Exits(43), ..sample!("exitcode" on firmware) },
    Sample { end: End::Leaves(Ending::Returned), ..sample!("farreturn" on firmware) },
    Sample { drive: Some(0), ..sample!("fat12" on firmware) },
    sample!("faults"),
    sample!("fdc" on firmware),
    Sample { keys: "axa{Ctrl+Pause}{Esc}", ..sample!("filters" on firmware) },
    sample!("fire" on firmware),
    sample!("font"),
    Sample { drive: Some(0), ..sample!("formatting" on firmware) },
    sample!("fourcolours" on firmware),
    Sample { drive: Some(0), ..sample!("geometry" on firmware) },
    sample!("hello"),
    sample!("higherhalf"),
    sample!("int"),
    sample!("irq32"),
    sample!("irq64"),
    Sample { keys: "Hello, world{Up}{Esc}", ..sample!("keyboard") },
    sample!("keybuffer" on firmware),
    Sample { keys: "ab{Up}{Esc}", ..sample!("keyirq") },
    Sample { keys: "ab{Esc}", ..sample!("latekeys") },
    Sample { drive: Some(0x80), ..sample!("lba" on firmware) },
    Sample { drive: Some(0x80), ..sample!("lbawrite" on firmware) },
    sample!("leds" on firmware),
    sample!("lines" on firmware),
    sample!("long"),
    sample!("mode12h" on firmware),
    sample!("mode13h"),
    sample!("modes"),
    sample!("modex"),
    sample!("monochrome" on firmware),
    Sample { end: End::Leaves(Ending::NoBootDevice), ..sample!("noboot" on firmware) },
    Sample { drive: Some(0), ..sample!("motor" on firmware) },
    sample!("ownfont" on firmware),
    sample!("padding" on firmware),
    sample!("pages" on firmware),
    sample!("palette" on firmware),
    Sample { drive: Some(0x80), ..sample!("partition" on firmware) },
    sample!("pci" on firmware),
    sample!("picread" on firmware),
    sample!("pixels" on firmware),
    Sample { console: "FF00AA", ..sample!("planar") },
    Sample {
        console: "Port E9, byte by byte.\nPort E9, all at once by rep outsb.\n!",
        ..sample!("portio")
    },
    Sample { end: End::Leaves(Ending::PowerOff), ..sample!("poweroff" on firmware) },
    sample!("printer" on firmware),
    sample!("protected"),
    sample!("pushdraw"),
    Sample { end: End::Resets, ..sample!("reset64" on firmware) },
    Sample { end: End::Resets, ..sample!("reset92" on firmware) },
    Sample { end: End::Leaves(Ending::Reset), ..sample!("restart" on firmware) },
    sample!("retrace"),
    sample!("rom" on firmware),
    Sample { keys: "a{Up}{Esc}a{Up}{Esc}", ..sample!("scancodes" on firmware) },
    sample!("scroll"),
    Sample { serial: "Hello from COM1!\r\n", ..sample!("serial") },
    sample!("setclock" on firmware),
    Sample { keys: "a{CapsLock}aA{NumLock}{KP7}{Esc}", ..sample!("shifts" on firmware) },
    sample!("speaker" on firmware),
    sample!("strings" on firmware),
    sample!("tasks"),
    sample!("teletype" on firmware),
    sample!("ticks"),
    sample!("timer"),
    Sample { drive: Some(0), ..sample!("tracks" on firmware) },
    Sample { end: End::Shutdown, ..sample!("triple") },
    sample!("twocolours" on firmware),
    Sample { serial: "Sent by IRQ 4\r\n", ..sample!("uartirq" on firmware) },
    sample!("unreal" on firmware),
    sample!("vbebanked" on firmware),
    sample!("vbeinfo" on firmware),
    sample!("vbelinear" on firmware),
    sample!("vectors" on firmware),
    sample!("windows" on firmware),
];

/// A CD-ROM named STEPVISOR that boots `image` as the El Torito media type `media`: 0 none, 1 to 3 floppies, 4 a hard
/// disk. Of an emulated disk one sector is loaded, else all.
pub fn cdrom(image: &[u8], media: u8) -> Vec<u8> {
    const VOLUME: usize = 16;
    const RECORD: usize = 17;
    const CATALOGUE: usize = 19;
    const IMAGE: usize = 20;
    let mut disc = vec![0; IMAGE * CD_SECTOR_SIZE];
    let mut put = |sector: usize, offset: usize, bytes: &[u8]| {
        disc[sector * CD_SECTOR_SIZE + offset..][..bytes.len()].copy_from_slice(bytes);
    };
    put(VOLUME, 0, b"\x01CD001\x01");
    put(VOLUME, 40, b"STEPVISOR                       ");
    put(RECORD, 0, b"\0CD001\x01EL TORITO SPECIFICATION");
    put(RECORD, 0x47, &[CATALOGUE as u8]);
    // The validation entry, whose words add up to 0, and the default entry.
    put(CATALOGUE, 0, &[1]);
    put(CATALOGUE, 28, &[0xaa, 0x55, 0x55, 0xaa]);
    let load = if media == 0 { image.len().div_ceil(SECTOR_SIZE) } else { 1 };
    put(CATALOGUE, 32, &[0x88, media, 0, 0, 0, 0, load as u8, 0, IMAGE as u8]);
    disc.extend_from_slice(image);
    disc.resize(disc.len().next_multiple_of(CD_SECTOR_SIZE), 0);
    disc
}

/// The one called `name`.
pub fn sample(name: &str) -> Sample {
    *SAMPLES.iter().find(|sample| sample.name == name).expect("a shipped guest")
}

impl Sample {
    /// A machine with default devices that boots it, and types what it asks for.
    pub fn machine(&self) -> Machine {
        let mut machine = if self.needs_firmware {
            let mut disks = Disks::default();
            let boot = if self.drive == Some(CD_ROM) {
                disks.cdrom = Some(disk::Image::from_bytes(cdrom(self.bin, 0)));
                Boot::from_disks(&Order::default(), &disks).expect("a CD-ROM")
            } else {
                let disk = disk::Image::from_bytes(self.bin);
                Boot::from_flat(self.bin.to_vec(), disk, self.drive, &mut disks).expect("a drive")
            };
            super::machine_with_firmware(boot, disks)
        } else {
            super::machine(self.boot())
        };
        let keys = keymap::parse(self.keys).unwrap();
        machine.type_at_start(Typing { keys, ..Typing::default() }).unwrap();
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

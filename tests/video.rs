//! INT 10h, call by call: each list in tests/video is worked off without a processor, and what is found afterwards in
//! registers, ports, memory and the BIOS data area is what QEMU gives with SeaBIOS' VGA BIOS, noted by
//! `scripts/video-calls`. What differs on purpose is left out by a line in the list that says why.
#![allow(clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stepvisor::bios::{Outcome, Pc, rom, video};
use stepvisor::devices::vga::vbe::{self, LinearMemory};
use stepvisor::devices::{Config, Devices, VIDEO_MEMORY};
use stepvisor::disk::Disks;
use stepvisor::memory::{Ram, Shared};
use stepvisor::x86::{CpuState, Gpr, Phys, SegmentName};

const ORDER: [&str; 8] = ["ax", "bx", "cx", "dx", "bp", "es", "si", "di"];
const GENERAL: [Gpr; 7] = [Gpr::Rax, Gpr::Rbx, Gpr::Rcx, Gpr::Rdx, Gpr::Rbp, Gpr::Rsi, Gpr::Rdi];
const STACK: u16 = 0x7b00;

#[derive(Debug)]
struct Framebuffer(Shared);

impl LinearMemory for Framebuffer {
    fn read(&self, offset: u32, data: &mut [u8]) {
        self.0.read(offset, data);
    }

    fn write(&self, offset: u32, data: &[u8]) {
        self.0.write(offset, data);
    }
}

/// A machine without a processor.
struct Bare {
    cpu: CpuState,
    ram: Ram,
    devices: Devices,
    disks: Disks,
    /// What was found after the last call.
    before: BTreeMap<String, String>,
}

impl Bare {
    fn new() -> Bare {
        let mut bare = Bare {
            cpu: CpuState::default(),
            ram: Ram::new(2 << 20).unwrap(),
            devices: Devices::new(&Config::default()).unwrap(),
            disks: Disks::default(),
            before: BTreeMap::new(),
        };
        bare.ram.add_device_memory(vbe::FRAMEBUFFER, vbe::FRAMEBUFFER_SIZE).unwrap();
        let shared = Framebuffer(bare.ram.share(vbe::FRAMEBUFFER));
        bare.devices.vga_mut().attach(Arc::new(shared));
        bare.ram.load(rom::START, rom::image()).unwrap();
        video::power_on(&mut bare.pc());
        bare
    }

    fn pc(&mut self) -> Pc<'_> {
        let Bare { cpu, ram, devices, disks, .. } = self;
        Pc { cpu, ram, devices, disks }
    }

    fn out(&mut self, port: u16, value: u8) {
        self.devices.port_write(port, 1, value.into());
    }

    fn input(&mut self, port: u16) -> u8 {
        self.devices.port_read(port, 1).map_or(0xff, |value| value as u8)
    }

    fn set_es(&mut self, segment: u16) {
        let es = self.cpu.segments.get_mut(SegmentName::Es);
        es.selector = segment;
        es.base = u64::from(segment) * 16;
    }

    /// Works off a line that is no call.
    fn prepare(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u64::from_str_radix(words[at], 16).unwrap();
        let place = |text: &str| {
            let (segment, offset) = text.split_once(':').unwrap();
            let part = |text| u64::from_str_radix(text, 16).unwrap();
            Phys(part(segment) * 16 + part(offset))
        };
        match words[0] {
            "poke" => {
                let bytes: Vec<u8> = (2..words.len()).map(|at| number(at) as u8).collect();
                self.pc().write(place(words[1]), &bytes);
            }
            "fill" => {
                let (len, first, step) = (number(2), number(3), number(4));
                for at in 0..len {
                    let byte = first.wrapping_add(at * step) as u8;
                    self.pc().write_u8(place(words[1]).offset(at), byte);
                }
            }
            "out" => self.out(number(1) as u16, number(2) as u8),
            _ => return false,
        }
        true
    }

    fn call(&mut self, line: &str) {
        let mut values = line.split_whitespace().map(|word| u16::from_str_radix(word, 16).unwrap());
        let mut next = || values.next().unwrap_or(0);
        self.cpu.gpr = [0; 16];
        for gpr in [Gpr::Rax, Gpr::Rbx, Gpr::Rcx, Gpr::Rdx, Gpr::Rbp] {
            *self.cpu.get_mut(gpr) = next().into();
        }
        let es = next();
        for gpr in [Gpr::Rsi, Gpr::Rdi] {
            *self.cpu.get_mut(gpr) = next().into();
        }
        self.set_es(es);
        *self.cpu.get_mut(Gpr::Rsp) = STACK.into();
        self.pc().write(Phys(STACK.into()), &[0, 0x7c, 0, 0, 0x02, 0x02]);
        assert_eq!(video::serve(&mut self.pc()), Outcome::Return, "{line}");
        assert_eq!(self.cpu.get(Gpr::Rsp), u64::from(STACK), "{line}");
    }

    fn found(&mut self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |name: String, value: String| found.push((name, value));
        let es = self.cpu.segments.es.selector;
        for name in ORDER {
            let value = match name {
                "es" | "bp" if es >= 0xc000 => "rom".to_owned(),
                "es" => format!("{es:04x}"),
                _ => {
                    let at = ["ax", "bx", "cx", "dx", "bp", "si", "di"].iter();
                    let at = at.take_while(|&&other| other != name).count();
                    format!("{:04x}", self.cpu.get(GENERAL[at]) & 0xffff)
                }
            };
            add(name.to_owned(), value);
        }
        for offset in (0x449..0x467).chain(0x484..0x48b) {
            add(format!("{offset:03x}"), format!("{:02x}", self.pc().read_u8(Phys(offset))));
        }
        for vector in [0x1f, 0x43] {
            let pointer = self.pc().vector(vector);
            let value = if pointer.segment >= 0xc000 {
                "rom".to_owned()
            } else {
                format!("{:04x}:{:04x}", pointer.segment, pointer.offset)
            };
            add(format!("int{vector:02x}"), value);
        }
        let misc = self.input(0x3cc);
        add("misc".to_owned(), format!("{misc:02x}"));
        let crtc = if misc & 1 == 0 { 0x3b4 } else { 0x3d4 };
        for (name, port, count) in [("seq", 0x3c4, 5), ("crtc", crtc, 25), ("gr", 0x3ce, 9)] {
            let index = self.input(port);
            for register in 0..count {
                self.out(port, register);
                add(format!("{name}{register:02x}"), format!("{:02x}", self.input(port + 1)));
            }
            self.out(port, index);
        }
        self.input(crtc + 6);
        let index = self.input(0x3c0);
        add("attr".to_owned(), format!("{index:02x}"));
        for register in 0..21 {
            self.input(crtc + 6);
            self.out(0x3c0, register);
            add(format!("attr{register:02x}"), format!("{:02x}", self.input(0x3c1)));
        }
        self.input(crtc + 6);
        self.out(0x3c0, index);
        self.input(crtc + 6);
        let index = self.input(0x3c8);
        self.out(0x3c7, 0);
        let colours: Vec<u8> = (0..768).map(|_| self.input(0x3c9)).collect();
        self.out(0x3c8, index);
        add("dac".to_owned(), sum(colours));
        found.push(("window".to_owned(), self.window()));
        found.extend((0..).zip(self.planes()).map(|(plane, sum)| (format!("plane{plane}"), sum)));
        found
    }

    fn window(&mut self) -> String {
        let (start, size) = self.devices.video_window().unwrap();
        let start = (start.0 - VIDEO_MEMORY.0) as u32;
        sum((start..start + size.min(0x1_0000)).map(|at| self.devices.vga().peek(at).unwrap()))
    }

    fn planes(&self) -> [String; 4] {
        let vga = self.devices.vga();
        let mut sums = [0; 4];
        for offset in 0..=u16::MAX {
            let bytes = vga.planes_at(offset);
            sums = [0, 1, 2, 3].map(|plane| add(sums[plane], bytes[plane]));
        }
        sums.map(|sum| format!("{sum:08x}"))
    }
}

/// A step of the checksum in tests/video/calls.asm.
fn add(sum: u32, byte: u8) -> u32 {
    (sum.rotate_left(5) ^ u32::from(byte)).wrapping_add(0x9e37_79b9)
}

fn sum(bytes: impl IntoIterator<Item = u8>) -> String {
    format!("{:08x}", bytes.into_iter().fold(0, add))
}

const LEFT_OUT: &str = "# left out: ";

/// Memory that is seen in another way, planes that cannot be written, fonts, which are others, and what the list says.
fn left_out(found: &BTreeMap<String, String>, list: &str) -> BTreeSet<String> {
    let register = |name: &str| u8::from_str_radix(&found[name], 16).unwrap();
    let text = register("gr06") & 1 == 0;
    let (chained, odd_even) = (register("seq04") & 8 != 0, register("gr06") & 2 != 0);
    let mut prefixes = if text || chained || odd_even { vec!["plane"] } else { vec!["window"] };
    let planes = ["plane0", "plane1", "plane2", "plane3"];
    prefixes.extend(
        (0..4).filter(|plane| register("seq02") >> plane & 1 == 0).map(|plane| planes[plane]),
    );
    for line in list.lines().filter_map(|line| line.strip_prefix(LEFT_OUT)) {
        prefixes.extend(line.split(" (").next().unwrap().split_whitespace());
    }
    let gone = |name: &&String| prefixes.iter().any(|prefix| name.starts_with(prefix));
    found.keys().filter(gone).filter(|name| !ORDER.contains(&name.as_str())).cloned().collect()
}

fn notes(list: &str) -> String {
    let mut bare = Bare::new();
    let mut notes = String::new();
    for line in list.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if bare.prepare(line) {
            continue;
        }
        bare.call(line);
        let found = bare.found();
        let values: BTreeMap<_, _> = found.iter().cloned().collect();
        let gone = left_out(&values, list);
        let registers: Vec<&str> = ORDER.iter().map(|&name| values[name].as_str()).collect();
        writeln!(notes, "{line}\n  {}", registers.join(" ")).unwrap();
        let new = found.iter().filter(|(name, value)| {
            !ORDER.contains(&name.as_str())
                && !gone.contains(name)
                && bare.before.get(name) != Some(value)
        });
        let new: Vec<String> = new.map(|(name, value)| format!("{name}={value}")).collect();
        for row in new.chunks(12) {
            writeln!(notes, "  {}", row.join(" ")).unwrap();
        }
        bare.before.extend(found.into_iter().filter(|(name, _)| !gone.contains(name)));
    }
    notes
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/video")
}

fn assert_same(name: &str) {
    let list = std::fs::read_to_string(folder().join(format!("{name}.calls"))).unwrap();
    let expected = std::fs::read_to_string(folder().join(format!("{name}.seabios"))).unwrap();
    let found = notes(&list);
    if let Ok(folder) = std::env::var("STEPVISOR_VIDEO_NOTES") {
        std::fs::write(Path::new(&folder).join(format!("{name}.found")), &found).unwrap();
    }
    let mut call = "";
    for (expected, found) in expected.lines().zip(found.lines()) {
        if !expected.starts_with(' ') {
            call = expected;
        }
        assert_eq!(found, expected, "{name}: {call}");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{name}");
}

#[test]
fn text_modes_do_what_seabios_does() {
    assert_same("text");
}

#[test]
fn the_monochrome_mode_does_what_seabios_does() {
    assert_same("monochrome");
}

#[test]
fn graphics_modes_do_what_seabios_does() {
    assert_same("graphics");
}

#[test]
fn colours_are_set_as_seabios_sets_them() {
    assert_same("colours");
}

#[test]
fn fonts_are_loaded_as_seabios_loads_them() {
    assert_same("fonts");
}

#[test]
fn the_state_is_told_saved_and_restored_as_by_seabios() {
    assert_same("state");
}

#[test]
fn vbe_does_what_seabios_does() {
    assert_same("vbe");
}

/// tests/video/vbe-modes.txt has the first 64 bytes of what SeaBIOS tells of each mode, without the pointer into ROM.
#[test]
fn vbe_modes_are_those_of_seabios() {
    let mut bare = Bare::new();
    let expected = std::fs::read_to_string(folder().join("vbe-modes.txt")).unwrap();
    let mut numbers = Vec::new();
    for line in expected.lines() {
        let number = line.split(' ').next().unwrap();
        numbers.push(u16::from_str_radix(number, 16).unwrap());
        bare.call(&format!("4f01 0 {number} 0 0 2000"));
        assert_eq!(bare.cpu.get(Gpr::Rax), 0x004f, "{number}");
        let mut block = [0; 64];
        bare.pc().read(Phys(0x2_0000), &mut block);
        block[0x0c..0x10].fill(0);
        let hex: String = block.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(format!("{number} {hex}"), line);
    }
    bare.call("4f00 0 0 0 0 2000");
    let pointer = bare.pc().read_u32(Phys(0x2_000e));
    let mut at = u64::from(pointer >> 16) * 16 + u64::from(pointer & 0xffff);
    let mut listed = Vec::new();
    loop {
        let number = bare.pc().read_u16(Phys(at));
        if number == 0xffff {
            break;
        }
        listed.push(number);
        at += 2;
    }
    assert!(numbers.iter().all(|number| listed.contains(number)));
}

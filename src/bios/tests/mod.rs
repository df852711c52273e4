//! The services on a machine without a processor.

mod cmos;
mod extremes;
mod keyboard;
mod system;
mod time;

use super::{Outcome, Pc, Service, power_on, rom};
use crate::devices::{self, Devices};
use crate::disk::Disks;
use crate::memory::Ram;
use crate::x86::registers::{RFLAGS_CF, RFLAGS_IF, RFLAGS_ZF};
use crate::x86::{CpuState, Gpr, Phys};

/// A machine that the firmware has brought up.
pub(super) struct Bench {
    cpu: CpuState,
    ram: Ram,
    devices: Devices,
    disks: Disks,
}

/// FLAGS of the caller: IF, and what no service may touch.
const FLAGS: u16 = 0x0a02;

impl Bench {
    fn new() -> Bench {
        Bench::booted(Disks::default(), 0x80)
    }

    /// The same with `disks`, of which the drive of that number was booted.
    fn booted(disks: Disks, drive: u8) -> Bench {
        let mut bench = Bench {
            cpu: CpuState::default(),
            ram: Ram::new(64 << 20).unwrap(),
            devices: Devices::new(&devices::Config::default()).unwrap(),
            disks,
        };
        bench.pc().set_word(Gpr::Rdx, drive.into());
        power_on(&mut bench.pc(), true);
        bench
    }

    fn pc(&mut self) -> Pc<'_> {
        let Bench { cpu, ram, devices, disks } = self;
        Pc { cpu, ram, devices, disks }
    }

    fn serve(&mut self, service: Service) -> Outcome {
        service.serve(&mut self.pc())
    }

    /// Calls `vector` with these values of AX, BX, CX and DX, and gives them as they are then.
    fn call(&mut self, vector: u8, values: [u16; 4]) -> [u16; 4] {
        const NAMES: [Gpr; 4] = [Gpr::Rax, Gpr::Rbx, Gpr::Rcx, Gpr::Rdx];
        let mut pc = self.pc();
        pc.set_word(Gpr::Rsp, 0x6e00);
        pc.set_caller_flags(FLAGS);
        for (register, value) in NAMES.into_iter().zip(values) {
            pc.set_word(register, value);
        }
        assert_eq!(self.serve(Service::Interrupt(vector)), Outcome::Return);
        let pc = self.pc();
        let kept = !((RFLAGS_CF | RFLAGS_ZF) as u16);
        assert_eq!(pc.caller_flags() & kept, FLAGS, "a flag that is no result");
        NAMES.map(|register| pc.word(register))
    }

    fn carry(&mut self) -> bool {
        u64::from(self.pc().caller_flags()) & RFLAGS_CF != 0
    }

    fn zero(&mut self) -> bool {
        u64::from(self.pc().caller_flags()) & RFLAGS_ZF != 0
    }

    fn byte(&mut self, at: u64) -> u8 {
        self.pc().read_u8(Phys(at))
    }

    fn word(&mut self, at: u64) -> u16 {
        self.pc().read_u16(Phys(at))
    }

    fn double(&mut self, at: u64) -> u32 {
        self.pc().read_u32(Phys(at))
    }
}

#[test]
fn every_vector_leads_to_code_or_data_of_the_rom_or_nowhere() {
    let mut bench = Bench::new();
    for vector in 0..=0xff_u8 {
        let entry = bench.pc().vector(vector);
        let user = matches!(vector, 0x60..=0x66 | 0x79);
        assert_eq!(entry.segment == rom::SEGMENT, !user, "{vector:02x}");
        let data = matches!(vector, 0x1e | 0x1f | 0x43);
        assert!(user || data || rom::image()[usize::from(entry.offset)] != 0, "{vector:02x}");
    }
}

#[test]
fn the_cursors_shape_is_kept_as_it_was_given() {
    let mut bench = Bench::new();
    bench.call(0x10, [0x0100, 0, 0x26ff, 0]);
    assert_eq!(bench.word(0x460), 0x26ff);
    assert_eq!(bench.call(0x10, [0x0300, 0, 0, 0])[2], 0x26ff);
    // The CRT controller has five bits for the last line, and one more for no cursor.
    let mut pc = bench.pc();
    let lines = [0x0a, 0x0b].map(|register| {
        pc.port_write(0x3d4, register);
        pc.port_read(0x3d5)
    });
    assert_eq!(lines, [0x26, 0x1f]);
}

#[test]
fn services_survive_any_registers() {
    let mut random = crate::devices::tests::random::Random::new(11);
    let vectors = [0x05, 0x08, 0x09, 0x0e, 0x11, 0x12, 0x14, 0x15, 0x16, 0x17, 0x1a, 0x70, 0x75];
    let mut bench = Bench::new();
    for _ in 0..20_000 {
        let vector = vectors[random.below(vectors.len() as u32) as usize];
        for register in
            [Gpr::Rax, Gpr::Rbx, Gpr::Rcx, Gpr::Rdx, Gpr::Rsi, Gpr::Rdi, Gpr::Rsp, Gpr::Rbp]
        {
            *bench.cpu.get_mut(register) = random.below(u32::MAX).into();
        }
        bench.cpu.segments.es.base = u64::from(random.below(0x1_0000)) << 4;
        bench.serve(Service::Interrupt(vector));
        bench.serve(Service::ScanCode);
        bench.serve(Service::Unexpected { second: random.below(2) == 0 });
    }
}

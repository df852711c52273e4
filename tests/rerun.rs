//! What a user is told of a shutdown that has destroyed the registers, as it does on some hosts: this process takes
//! its own for one of them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::Once;

use common::modes::{DATA, Mode, machine_in};
use common::{START, read, record, set, visible};
use stepvisor::kvm::probe::{self, HostFacts};
use stepvisor::machine::{Machine, Observer, Physical, StopReason};
use stepvisor::x86::{Gpr, Linear, Phys};

/// A machine in protected mode with `code` and no interrupt table.
fn fragile_machine(code: &[u8]) -> Machine {
    static ASSUMED: Once = Once::new();
    ASSUMED.call_once(|| {
        let facts = probe::probe().unwrap();
        assert!(probe::assume(HostFacts { shutdown_resets: true, ..facts }));
    });
    let mut machine = machine_in(Mode::Protected, code);
    set(&mut machine, |cpu| cpu.idtr.limit = 0);
    machine
}

/// mov byte [DATA], 0; mov al, '.'; out 0xe9, al; cmp byte [DATA], 1; jne end; ud2
const LOOKS_AT_A_BYTE: &[u8] = &[
    0xc6, 0x05, 0, 0x90, 0, 0, 0, 0xb0, b'.', 0xe6, 0xe9, 0x80, 0x3d, 0, 0x90, 0, 0, 1, 0x75, 2,
    0x0f, 0x0b,
];

/// Changes the byte that the guest looks at, when it prints: not by the machine, so that no second run can
/// know of it.
struct World {
    memory: File,
    addr: u64,
    printed: usize,
}

impl World {
    fn around(machine: &mut Machine) {
        let Physical::Ram { host, .. } = machine.physical(Phys(DATA)) else { panic!("no RAM") };
        let memory = OpenOptions::new().write(true).open("/proc/self/mem").unwrap();
        machine.set_observer(Box::new(World { memory, addr: host, printed: 0 }));
    }
}

impl Observer for World {
    fn notice(&mut self, _: &str) {}

    fn console(&mut self, bytes: &[u8]) {
        self.printed += bytes.len();
        assert_eq!(self.printed, 1, "a second run is heard");
        self.memory.write_all_at(&[1], self.addr).unwrap();
    }
}

#[test]
fn the_account_says_that_the_second_run_took_another_course() {
    let mut machine = fragile_machine(LOOKS_AT_A_BYTE);
    World::around(&mut machine);
    let stop = machine.run();
    let StopReason::Shutdown { location } = &stop else { panic!("{stop}") };
    assert!(location.starts_with("after "), "{stop}");
    let lines = machine.crash().unwrap().lines().to_vec();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("these are those at the last exit before it"), "{lines:?}");
    assert!(lines[0].ends_with("a second run took another course"), "{lines:?}");
    // Memory is as the crash has left it.
    assert_eq!(read(&machine, DATA, 1), [1]);
    // The registers are those of the exit for the OUT: it is the next instruction, or has just been.
    let pc = machine.cpu().pc().0 - START;
    assert!(pc == 9 || pc == 11, "{pc}");
}

#[test]
fn the_second_run_finds_the_instruction_unheard() {
    // mov edi, 0x1234; m: inc dword [DATA]; dec edi; jnz m; mov al, '.'; out 0xe9, al
    // mov edi, 0x2345; n: inc dword [DATA]; dec edi; jnz n; ud2
    let code = [
        &[0xbf, 0x34, 0x12, 0, 0, 0xff, 0x05, 0, 0x90, 0, 0, 0x4f, 0x75, 0xf7][..],
        &[0xb0, b'.', 0xe6, 0xe9],
        &[0xbf, 0x45, 0x23, 0, 0, 0xff, 0x05, 0, 0x90, 0, 0, 0x4f, 0x75, 0xf7],
        &[0x0f, 0x0b],
    ]
    .concat();
    let mut machine = fragile_machine(&code);
    let heard = record(&mut machine);
    let stop = machine.run();
    assert!(
        matches!(&stop, StopReason::Shutdown { location } if !location.contains("after")),
        "{stop}"
    );
    assert!(machine.crash().unwrap().lines()[0].contains("`ud2` (bytes 0f 0b) raised #UD"));
    assert_eq!(machine.cpu().pc(), Linear(START + code.len() as u64 - 2));
    let cpu = visible(machine.cpu());
    assert_eq!((cpu.get(Gpr::Rdi), cpu.get(Gpr::Rax) & 0xff), (0, b'.'.into()));
    assert_eq!(read(&machine, DATA, 4), 0x3579u32.to_le_bytes());
    assert_eq!(heard.borrow().console, b".");
}

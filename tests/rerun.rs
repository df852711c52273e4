//! What a user is told of a shutdown that has destroyed the registers, as it does on some hosts: this process takes
//! its own for one of them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Once;

use common::modes::{DATA, Mode, machine_in};
use common::{START, read, record, set, step_to_end, visible, write};
use stepvisor::devices::keyboard::keymap;
use stepvisor::kvm::Kicker;
use stepvisor::kvm::probe::{self, HostFacts};
use stepvisor::machine::{Machine, Observer, Physical, StopReason, Watch, WatchKind};
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
    fn of(machine: &Machine) -> World {
        let Physical::Ram { host, .. } = machine.physical(Phys(DATA)) else { panic!("no RAM") };
        let memory = OpenOptions::new().write(true).open("/proc/self/mem").unwrap();
        World { memory, addr: host, printed: 0 }
    }

    fn around(machine: &mut Machine) {
        let world = World::of(machine);
        machine.set_observer(Box::new(world));
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
    // The registers are those of the exit for the OUT: it is the next instruction, or has just been. Or a signal has ended
    // an entry behind it.
    let pc = machine.cpu().pc().0 - START;
    assert!([9, 11, 18, 20].contains(&pc), "{pc}");
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

/// The one line of an account whose registers are not those before the fault.
#[track_caller]
fn inexact(machine: &Machine, why: &str) {
    let lines = machine.crash().unwrap().lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("these are those at the last exit before it"), "{lines:?}");
    assert!(lines[0].ends_with(why), "`{}` does not end with `{why}`", lines[0]);
}

#[track_caller]
fn shuts_down(stop: &StopReason) {
    assert!(matches!(stop, StopReason::Shutdown { .. }), "{stop}");
}

#[test]
fn a_guest_runs_on_after_an_inexact_account() {
    // So many times because the search is by time, and comes to another end on a busy host.
    for _ in 0..30 {
        let mut machine = fragile_machine(LOOKS_AT_A_BYTE);
        World::around(&mut machine);
        shuts_down(&machine.run());
        inexact(&machine, "a second run took another course");
        // The byte is changed already: now it is found.
        record(&mut machine);
        shuts_down(&machine.run());
        let lines = machine.crash().unwrap().lines();
        assert!(lines[0].contains("`ud2` (bytes 0f 0b) raised #UD"), "{lines:?}");
        assert_eq!(machine.cpu().pc(), Linear(START + LOOKS_AT_A_BYTE.len() as u64 - 2));
    }
}

/// mov byte [DATA], 0; mov al, '.'; out 0xe9, al; mov al, [DATA]; mov [DATA + 0x1000], al; mov al, 7; ud2
const COPIES_A_BYTE: &[u8] = &[
    0xc6, 0x05, 0, 0x90, 0, 0, 0, 0xb0, b'.', 0xe6, 0xe9, 0xa0, 0, 0x90, 0, 0, 0xa2, 0, 0xa0, 0, 0,
    0xb0, 7, 0x0f, 0x0b,
];
const COPY: u64 = DATA + 0x1000;

#[test]
fn a_second_run_that_leaves_other_memory_is_not_taken_for_the_first() {
    let mut machine = fragile_machine(COPIES_A_BYTE);
    World::around(&mut machine);
    shuts_down(&machine.run());
    inexact(&machine, "a second run took another course");
    assert_eq!((read(&machine, DATA, 1), read(&machine, COPY, 1)), (vec![1], vec![1]));
}

#[test]
fn a_stepped_guest_keeps_its_memory_whatever_a_second_run_leaves() {
    let mut machine = fragile_machine(COPIES_A_BYTE);
    World::around(&mut machine);
    shuts_down(&step_to_end(&mut machine, 10));
    assert_eq!((read(&machine, DATA, 1), read(&machine, COPY, 1)), (vec![1], vec![1]));
    // The registers before a step are known without a second run.
    assert_eq!(machine.cpu().pc(), Linear(START + COPIES_A_BYTE.len() as u64 - 2));
    assert_eq!(machine.cpu().get(Gpr::Rax) & 0xff, 7);
    let lines = machine.crash().unwrap().lines();
    assert!(lines[0].contains("`ud2` (bytes 0f 0b) raised #UD"), "{lines:?}");
}

#[test]
fn nothing_is_left_of_a_second_run_that_took_another_course() {
    // mov byte [DATA], 0; mov al, '.'; out 0xe9, al; cmp byte [DATA], 1; je same; mov byte [COPY], 5
    // same: mov edi, 0x10000; m: inc dword [DATA + 4]; dec edi; jnz m; cmp byte [DATA], 1; je end; hlt; end: ud2
    let code = [
        &LOOKS_AT_A_BYTE[..18],
        &[0x74, 7, 0xc6, 0x05, 0, 0xa0, 0, 0, 5],
        &[0xbf, 0, 0, 1, 0, 0xff, 0x05, 4, 0x90, 0, 0, 0x4f, 0x75, 0xf7],
        &[0x80, 0x3d, 0, 0x90, 0, 0, 1, 0x74, 1, 0xf4, 0x0f, 0x0b],
    ]
    .concat();
    let mut machine = fragile_machine(&code);
    World::around(&mut machine);
    write(&mut machine, COPY, &[9]);
    shuts_down(&machine.run());
    inexact(&machine, "a second run took another course");
    assert_eq!(read(&machine, DATA, 8), [1, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(read(&machine, COPY, 1), [9]);
    assert!(!machine.is_halted());
}

#[test]
fn memory_that_holds_the_time_stamp_counter_is_that_of_the_first_run() {
    // rdtsc; mov [DATA], eax; out 0xe9, al; three times: shr eax, 8; out 0xe9, al; ud2
    let byte = &[0xc1, 0xe8, 8, 0xe6, 0xe9][..];
    let code =
        [&[0x0f, 0x31, 0xa3, 0, 0x90, 0, 0, 0xe6, 0xe9], byte, byte, byte, &[0x0f, 0x0b]].concat();
    let mut machine = fragile_machine(&code);
    let heard = record(&mut machine);
    shuts_down(&machine.run());
    assert_eq!(heard.borrow().console.len(), 4, "a second run is heard");
    assert_eq!(read(&machine, DATA, 4), heard.borrow().console);
}

#[test]
fn a_key_is_typed_in_the_second_run_as_in_the_first() {
    // in al, 0x60; mov [DATA], al; ud2
    let code = [0xe4, 0x60, 0xa2, 0, 0x90, 0, 0, 0x0f, 0x0b];
    let mut machine = fragile_machine(&code);
    machine.type_keys(&keymap::parse("a").unwrap()).unwrap();
    shuts_down(&machine.run());
    let lines = machine.crash().unwrap().lines();
    assert!(lines[0].contains("`ud2` (bytes 0f 0b) raised #UD"), "{lines:?}");
    let code = read(&machine, DATA, 1);
    assert_eq!(machine.cpu().get(Gpr::Rax) & 0xff, u64::from(code[0]));
    assert_eq!(machine.cpu().pc(), Linear(START + 7));
}

/// Kicks when it is told something, as a user does.
struct Impatient {
    world: World,
    kicker: Kicker,
    told: Rc<RefCell<Vec<String>>>,
}

impl Observer for Impatient {
    fn notice(&mut self, text: &str) {
        self.told.borrow_mut().push(text.to_owned());
        self.kicker.kick();
    }

    fn console(&mut self, bytes: &[u8]) {
        self.world.console(bytes);
    }
}

#[test]
fn a_second_run_that_never_ends_is_told_of_and_can_be_broken_off() {
    // mov byte [DATA], 0; mov al, '.'; out 0xe9, al; l: inc edi; cmp byte [DATA], 1; jne l; out 0x80, al; ud2
    let code = [
        &LOOKS_AT_A_BYTE[..11],
        &[0x47, 0x80, 0x3d, 0, 0x90, 0, 0, 1, 0x75, 0xf6, 0xe6, 0x80, 0x0f, 0x0b],
    ]
    .concat();
    let mut machine = fragile_machine(&code);
    let told = Rc::default();
    let world = World::of(&machine);
    let (kicker, told_too) = (machine.kicker(), Rc::clone(&told));
    machine.set_observer(Box::new(Impatient { world, kicker, told: told_too }));
    shuts_down(&machine.run());
    inexact(&machine, "the search was interrupted");
    let told = told.borrow();
    assert!(told.iter().any(|text| text.contains("is run a second time")), "{told:?}");
    assert_eq!(read(&machine, DATA, 1), [1]);
    // Whoever drives the machine learns of it as well.
    assert!(machine.take_kick());
}

/// Chains video memory as mode 13h does.
fn chain_4() -> Vec<u8> {
    let registers: [(u16, u8, u8); 8] = [
        (0x3c4, 2, 0x0f),
        (0x3c4, 4, 0x0e),
        (0x3ce, 1, 0),
        (0x3ce, 3, 0),
        (0x3ce, 4, 0),
        (0x3ce, 5, 0x40),
        (0x3ce, 6, 0x05),
        (0x3ce, 8, 0xff),
    ];
    let set = |(port, index, value): (u16, u8, u8)| {
        let [low, high] = port.to_le_bytes();
        // mov edx, port; mov ax, value and index; out dx, ax
        [0xba, low, high, 0, 0, 0x66, 0xb8, index, value, 0x66, 0xef]
    };
    registers.into_iter().flat_map(set).collect()
}

/// Switches to 640x480 in 256 colours by Bochs' ports, and video memory to bank 1.
fn bank_1() -> Vec<u8> {
    let set = |(index, value): (u8, u16)| {
        let [low, high] = value.to_le_bytes();
        // mov edx, 0x1ce; mov ax, index; out dx, ax; inc edx; mov ax, value; out dx, ax
        [
            &[0xba, 0xce, 1, 0, 0, 0x66, 0xb8, index, 0, 0x66, 0xef][..],
            &[0x42, 0x66, 0xb8, low, high, 0x66, 0xef],
        ]
        .concat()
    };
    [(1, 640), (2, 480), (3, 8), (4, 1), (5, 1)].into_iter().flat_map(set).collect()
}

/// Clears 1 KiB of video memory, twice adds 3 to each of these bytes, with a '.' in between, and ends in UD2.
fn works_in_video_memory(mut code: Vec<u8>) -> Vec<u8> {
    // mov edi, 0xa0000; xor eax, eax; mov ecx, 0x100; rep stosd
    code.extend([0xbf, 0, 0, 0x0a, 0, 0x31, 0xc0, 0xb9, 0, 1, 0, 0, 0xf3, 0xab]);
    // mov edi, 0xa0000; again: add byte [edi], 3; inc edi; cmp edi, 0xa0400; jb again
    let work = [0xbf, 0, 0, 0x0a, 0, 0x80, 0x07, 3, 0x47, 0x81, 0xff, 0, 4, 0x0a, 0, 0x72, 0xf4];
    code.extend(work);
    code.extend([0xb0, b'.', 0xe6, 0xe9]); // mov al, '.'; out 0xe9, al
    code.extend(work);
    code.extend([0x0f, 0x0b]);
    code
}

#[test]
fn the_second_run_finds_video_memory_as_the_first_did() {
    for (setup, watched) in
        [(chain_4(), false), (chain_4(), true), (bank_1(), false), (bank_1(), true)]
    {
        let code = works_in_video_memory(setup);
        let mut machine = fragile_machine(&code);
        let heard = record(&mut machine);
        if watched {
            // For a part of the first run only.
            let watch = Watch { addr: Linear(0xa_0008), len: 1, kind: WatchKind::Access };
            machine.breakpoints_mut().insert_watch(watch);
            for _ in 0..2 {
                assert!(matches!(machine.run(), StopReason::Watchpoint(_)));
            }
            machine.breakpoints_mut().remove_watch(watch);
        }
        let stop = machine.run();
        let found = |location: &str| !location.contains("after");
        assert!(matches!(&stop, StopReason::Shutdown { location } if found(location)), "{stop}");
        assert_eq!(machine.cpu().pc(), Linear(START + code.len() as u64 - 2));
        assert_eq!(visible(machine.cpu()).get(Gpr::Rdi), 0xa_0400);
        assert_eq!(read(&machine, 0xa_0000, 0x400), [6; 0x400]);
        assert_eq!(heard.borrow().console, b".");
    }
}

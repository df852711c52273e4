//! Programs that work in video memory as if it were RAM: what they leave there, and what a debugger sees of it
//! meanwhile.
#![allow(clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

mod common;

use common::samples::sample;
use common::{BX, boot, halted, read, write};
use stepvisor::devices::frame::{Frame, GraphicsFrame};
use stepvisor::machine::trace::Trace;
use stepvisor::machine::{Machine, StopReason, Watch, WatchKind};
use stepvisor::x86::{Linear, Phys};

use WatchKind::{Access, Read, Write};

const MEMORY: u64 = 0xa_0000;
/// Bytes that the codes below work on: more accesses than it takes to make a difference to anybody.
const WORKED_ON: usize = 0x400;

const SEQUENCER: u16 = 0x3c4;
const GRAPHICS: u16 = 0x3ce;

/// mov dx, `port`; mov ax, `value` and `index`; out dx, ax
fn set_register(port: u16, index: u8, value: u8) -> Vec<u8> {
    let [low, high] = port.to_le_bytes();
    vec![0xba, low, high, 0xb8, index, value, 0xef]
}

/// Has the processor reach video memory as in mode 13h, with ES at A0000.
fn chain_4() -> Vec<u8> {
    let graphics = [(0, 0), (1, 0), (3, 0), (4, 0), (5, 0x40), (6, 0x05), (8, 0xff)];
    let mut code = vec![0xb8, 0, 0xa0, 0x8e, 0xc0, 0xfc]; // mov ax, 0xa000; mov es, ax; cld
    code.extend(set_register(SEQUENCER, 2, 0x0f));
    code.extend(set_register(SEQUENCER, 4, 0x0e));
    code.extend(
        graphics.into_iter().flat_map(|(index, value)| set_register(GRAPHICS, index, value)),
    );
    code
}

/// xor di, di; again: mov ax, di; xor al, ah; add [es:di], al; inc di; cmp di, WORKED_ON; jb again
fn work() -> Vec<u8> {
    let [low, high] = (WORKED_ON as u16).to_le_bytes();
    vec![
        0x31, 0xff, 0x89, 0xf8, 0x30, 0xe0, 0x26, 0x00, 0x05, 0x47, 0x81, 0xff, low, high, 0x72,
        0xf2,
    ]
}

/// xor ax, ax; xor di, di; mov cx, 0x8000; rep stosw
const CLEAR: [u8; 9] = [0x31, 0xc0, 0x31, 0xff, 0xb9, 0, 0x80, 0xf3, 0xab];
const HALT: [u8; 2] = [0xfa, 0xf4];

/// What `times` times [`work`] makes of memory that was clear.
fn worked_on(times: u8) -> Vec<u8> {
    let byte = |at: usize| {
        let [low, high, ..] = at.to_le_bytes();
        (low ^ high).wrapping_mul(times)
    };
    (0..0x1_0000).map(|at| if at < WORKED_ON { byte(at) } else { 0 }).collect()
}

fn graphics(machine: &Machine) -> GraphicsFrame {
    let Frame::Graphics(frame) = machine.frame() else { panic!("not graphics") };
    frame
}

fn watch(machine: &mut Machine, addr: u64, kind: WatchKind) -> Watch {
    let watch = Watch { addr: Linear(addr), len: 1, kind };
    machine.breakpoints_mut().insert_watch(watch);
    watch
}

/// The colours of the pixels that guest `fire` leaves, by what its head says.
fn fire() -> Vec<u8> {
    const COLUMNS: usize = 320;
    let mut memory = vec![0u8; COLUMNS * 200];
    let mut ember = 0u8;
    for _ in 0..4 {
        for x in 0..32 {
            ember = ember.wrapping_add(0x3b).rotate_left(3);
            memory[24 * COLUMNS + x] = ember;
        }
        for y in 0..24 {
            for at in y * COLUMNS..y * COLUMNS + 32 {
                let below = at + COLUMNS;
                let sum: u16 =
                    [at, below - 1, below, below + 1].map(|at| memory[at].into()).iter().sum();
                memory[at] = (sum / 4) as u8;
            }
        }
        for y in 0..25 {
            let from = y * COLUMNS;
            memory.copy_within(from..from + 32, from + 40);
        }
    }
    memory
}

#[test]
fn a_picture_drawn_in_place_is_right() {
    let mut machine = sample("fire").machine();
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert_eq!(graphics(&machine).pixels, fire());
    assert_eq!(read(&machine, MEMORY, 320 * 200), fire());
}

/// The instruction of guest `fire` that begins to copy the picture.
const BESIDE: u64 = 0x7c5c;
/// Those behind the accesses to a pixel in a frame, in their order: read for three pixels above it, read for itself,
/// written, read to be copied.
const BEHIND: [(u64, WatchKind); 6] = [
    (0x7c4c, Read),
    (0x7c46, Read),
    (0x7c40, Read),
    (0x7c3c, Read),
    (0x7c52, Write),
    (0x7c66, Read),
];

/// Where guest `fire` stops for a watchpoint of `kind` that comes when it has drawn two frames of four.
fn stops(kind: WatchKind, go: fn(&mut Machine) -> StopReason) -> Vec<u64> {
    let mut machine = sample("fire").machine();
    machine.breakpoints_mut().insert(Linear(BESIDE));
    for _ in 0..2 {
        assert_eq!(machine.run(), StopReason::Breakpoint(Linear(BESIDE)));
        machine.step();
    }
    machine.breakpoints_mut().remove(Linear(BESIDE));
    // The second frame is copied yet.
    let watch = watch(&mut machine, MEMORY + 320 * 8 + 5, kind);
    let mut stops = Vec::new();
    loop {
        match go(&mut machine) {
            StopReason::Watchpoint(_) => stops.push(machine.cpu().pc().0),
            StopReason::Stepped => {}
            StopReason::Halted { .. } => break,
            stop => panic!("{stop}"),
        }
        if stops.len() == 7 {
            // The last frame is drawn without it.
            machine.breakpoints_mut().remove_watch(watch);
        }
    }
    assert_eq!(graphics(&machine).pixels, fire());
    stops
}

#[test]
fn watchpoints_come_and_go_while_a_guest_draws_in_place() {
    for kind in [Write, Read, Access] {
        let counts = |(_, of): &&(u64, WatchKind)| kind == Access || kind == *of;
        let frame = || BEHIND.iter().filter(counts).map(|(pc, _)| *pc);
        let copy = Some(BEHIND[5]).iter().filter(counts).map(|(pc, _)| *pc).collect::<Vec<_>>();
        let expected: Vec<u64> = copy.into_iter().chain(frame()).chain(frame()).take(7).collect();
        assert_eq!(stops(kind, Machine::run), expected, "{kind:?}, run");
        assert_eq!(stops(kind, Machine::step), expected, "{kind:?}, stepped");
    }
}

/// An instruction that reads the byte at ES:`offset` into AL, and stores that at `to`.
fn read_to(offset: u16, to: u16) -> Vec<u8> {
    let ([a, b], [c, d]) = (offset.to_le_bytes(), to.to_le_bytes());
    vec![0x26, 0xa0, a, b, 0xa2, c, d]
}

/// Writes `value` at ES:`offset`: mov byte [es:offset], value
fn write_at(offset: u16, value: u8) -> Vec<u8> {
    let [low, high] = offset.to_le_bytes();
    vec![0x26, 0xc6, 0x06, low, high, value]
}

#[test]
fn planes_have_what_chain_4_wrote_and_the_other_way_round() {
    const FOUND: u16 = 0x600;
    let unchained = || {
        let planes = [set_register(SEQUENCER, 4, 0x06), set_register(SEQUENCER, 2, 0x02)];
        [planes.concat(), set_register(GRAPHICS, 4, 1)].concat()
    };
    let text = [
        set_register(SEQUENCER, 4, 0x02),
        set_register(SEQUENCER, 2, 0x03),
        set_register(GRAPHICS, 5, 0x10),
        set_register(GRAPHICS, 6, 0x0e),
        vec![0xb8, 0, 0xb8, 0x8e, 0xc0], // mov ax, 0xb800; mov es, ax
        write_at(0x204, 0x41),
        write_at(0x205, 0x1f),
    ];
    let code = [
        chain_4(),
        CLEAR.to_vec(),
        work(),
        work(),
        // Plane 1 alone: what chain 4 has at 0x109, and where it has nothing.
        unchained(),
        read_to(0x108, FOUND),
        write_at(0x10c, 0x77),
        write_at(0x10a, 0x99),
        text.concat(),
        chain_4(),
        work(),
        unchained(),
        read_to(0x10a, FOUND + 1),
        read_to(0x10c, FOUND + 2),
        chain_4(),
        HALT.to_vec(),
    ];
    let mut machine = boot(&code.concat());
    assert!(matches!(machine.run(), StopReason::Halted { .. }));

    let once = worked_on(1);
    let mut expected = worked_on(3);
    expected[0x10d] = once[0x10d].wrapping_add(0x77);
    // In text mode the offset of a character is that of its address.
    expected[0x204] = once[0x204].wrapping_add(0x41);
    expected[0x205] = once[0x205].wrapping_add(0x1f);
    assert_eq!(read(&machine, MEMORY, expected.len()), expected);
    let found = [worked_on(2)[0x109], 0x99, expected[0x10d]];
    assert_eq!(read(&machine, FOUND.into(), 3), found);
}

#[test]
fn what_the_registers_do_to_a_byte_they_do_at_once() {
    // A mask of the planes, a logical function with the latches, then nothing of it, each after some work.
    let code = [
        chain_4(),
        CLEAR.to_vec(),
        work(),
        set_register(SEQUENCER, 2, 0x0e),
        write_at(0x104, 0xaa),
        write_at(0x105, 0xbb),
        set_register(SEQUENCER, 2, 0x0f),
        work(),
        set_register(GRAPHICS, 3, 0x18),
        read_to(0x108, 0x600),
        write_at(0x108, 0xff),
        set_register(GRAPHICS, 3, 0),
        work(),
        set_register(GRAPHICS, 5, 0x48),
        read_to(0x300, 0x601),
        set_register(GRAPHICS, 5, 0x40),
        // mov dx, 0x3c2; mov al, 0x61; out dx, al: no memory for the processor; then 0x63
        vec![0xba, 0xc2, 0x03, 0xb0, 0x61, 0xee],
        write_at(0x110, 0xcc),
        read_to(0x110, 0x602),
        vec![0xba, 0xc2, 0x03, 0xb0, 0x63, 0xee],
        work(),
        HALT.to_vec(),
    ];
    let mut machine = boot(&code.concat());
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    let once = worked_on(1);
    let mut expected = worked_on(4);
    expected[0x105] = once[0x105].wrapping_mul(3).wrapping_add(0xbb);
    expected[0x108] = (!worked_on(2)[0x108]).wrapping_add(once[0x108].wrapping_mul(2));
    assert_eq!(read(&machine, MEMORY, expected.len()), expected);
    // A bit for each that is 0 in all four pixels at 0x300.
    let compared = !worked_on(3)[0x300..0x304].iter().fold(0, |all, byte| all | byte);
    assert_eq!(read(&machine, 0x600, 3), [worked_on(2)[0x108], compared, 0xff]);
}

#[test]
fn a_debugger_reads_and_writes_what_the_guest_works_on() {
    let first = [chain_4(), CLEAR.to_vec(), work()].concat();
    let second = Linear(0x7c00 + first.len() as u64);
    let mut machine = boot(&[first, work(), HALT.to_vec()].concat());
    machine.breakpoints_mut().insert(second);
    assert_eq!(machine.run(), StopReason::Breakpoint(second));
    assert_eq!(read(&machine, MEMORY, 0x1_0000), worked_on(1));
    let mut expected = worked_on(2);
    for at in [0x123, 0xffff] {
        write(&mut machine, MEMORY + at, &[0x40]);
        expected[at as usize] = 0x40 + worked_on(1)[at as usize];
    }
    machine.breakpoints_mut().remove(second);
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert_eq!(read(&machine, MEMORY, 0x1_0000), expected);
}

#[test]
fn banks_are_worked_on_in_place() {
    let register = |index: u8, value: u16| {
        let [low, high] = value.to_le_bytes();
        // mov dx, 0x1ce; mov ax, index; out dx, ax; inc dx; mov ax, value; out dx, ax
        vec![0xba, 0xce, 0x01, 0xb8, index, 0, 0xef, 0x42, 0xb8, low, high, 0xef]
    };
    let mut code = vec![0xb8, 0, 0xa0, 0x8e, 0xc0, 0xfc]; // mov ax, 0xa000; mov es, ax; cld
    for (index, value) in [(1, 640), (2, 480), (3, 8), (4, 1)] {
        code.extend(register(index, value));
    }
    // Bank 1 three times, bank 2 once.
    for bank in [1, 2, 1, 1] {
        code.extend(register(5, bank));
        code.extend(work());
    }
    code.extend(HALT);
    let mut machine = boot(&code);
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    let framebuffer = |machine: &Machine, at: u64| {
        let mut bytes = vec![0; 0x1_0000];
        assert_eq!(machine.read_phys(Phys(0xfd00_0000 + at), &mut bytes), bytes.len());
        bytes
    };
    assert!(framebuffer(&machine, 0).iter().all(|byte| *byte == 0));
    assert_eq!(framebuffer(&machine, 0x1_0000), worked_on(3));
    assert_eq!(framebuffer(&machine, 0x2_0000), worked_on(1));
    // The window is bank 1 still.
    assert_eq!(read(&machine, MEMORY, 0x1_0000), worked_on(3));
    write(&mut machine, MEMORY + 7, &[0xee]);
    assert_eq!(framebuffer(&machine, 0x1_0000)[7], 0xee);
    assert_eq!(graphics(&machine).pixels[0x1_0000 + 7], 0xee);
}

#[test]
fn code_in_video_memory_is_executed_in_mode_13h() {
    const BACK: u16 = 0x7d00;
    let [low, high] = BACK.to_le_bytes();
    // fninit; inc bx; jmp far 0:BACK
    let code = [0xdb, 0xe3, 0x43, 0xea, low, high, 0, 0];
    let mut program = [chain_4(), vec![0x31, 0xdb]].concat(); // xor bx, bx
    for (at, byte) in (0..).zip(code) {
        program.extend(write_at(at, byte));
    }
    program.extend([0xea, 0, 0, 0, 0xa0]); // jmp far 0xa000:0
    program.resize(usize::from(BACK - 0x7c00), 0x90);
    program.extend(HALT);
    for go in [Machine::run, |machine: &mut Machine| common::step_to_end(machine, 100)] {
        let mut machine = boot(&program);
        assert_eq!(go(&mut machine), halted("0000:7D02"));
        assert_eq!(machine.cpu().gpr[BX] & 0xffff, 1);
    }
}

#[test]
fn interrupts_from_80h_on_reach_their_handlers() {
    // int 0x80; int 0xff
    let interrupts = [0xcd, 0x80, 0xcd, 0xff];
    // xor bx, bx
    let begin = [chain_4(), vec![0x31, 0xdb]].concat();
    let code = [&begin, &interrupts[..], &CLEAR, &work(), &interrupts, &HALT].concat();
    let mut machine = boot(&code);
    for vector in [0x80, 0xff] {
        write(&mut machine, vector * 4, &[0, 0x7d, 0, 0]);
    }
    // inc bx; iret
    write(&mut machine, 0x7d00, &[0x43, 0xcf]);
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    assert_eq!(machine.cpu().gpr[BX] & 0xffff, 4);
    assert_eq!(read(&machine, MEMORY, 0x1_0000), worked_on(1));
}

#[test]
fn code_in_video_memory_runs_on_wherever_it_is_interrupted() {
    // mov ecx, 500,000; again: dec ecx; jnz again; jmp far 0:0x7d00
    let code = [0x66, 0xb9, 0x20, 0xa1, 7, 0, 0x66, 0x49, 0x75, 0xfc, 0xea, 0, 0x7d, 0, 0];
    let jump = [0xea, 0x80, 0, 0, 0xa0]; // jmp far 0xa000:0x80
    let written = (0x80..).zip(code).flat_map(|(at, byte)| write_at(at, byte));
    let program = [chain_4(), written.collect(), jump.to_vec()].concat();
    let mut machine = boot(&program);
    write(&mut machine, 0x7d00, &HALT);
    assert_eq!(machine.run(), halted("0000:7D02"));
}

#[test]
fn a_trace_has_each_access() {
    let code = [chain_4(), CLEAR.to_vec(), work(), HALT.to_vec()].concat();
    let path = std::env::temp_dir().join(format!("in-place-{}.json", std::process::id()));
    let mut machine = boot(&code);
    machine.set_trace(Trace::new(Box::new(std::fs::File::create(&path).unwrap())));
    assert!(matches!(machine.run(), StopReason::Halted { .. }));
    machine.finish_trace().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let events: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let reads = events.iter().filter(|event| event["name"] == "MMIO read");
    assert_eq!(reads.count(), WORKED_ON);
}

#[test]
fn a_reset_ends_what_the_guest_worked_on() {
    let code = [chain_4(), CLEAR.to_vec(), work(), HALT.to_vec()].concat();
    let mut machine = boot(&code);
    for _ in 0..2 {
        let text = machine.frame();
        assert!(matches!(machine.run(), StopReason::Halted { .. }));
        assert_eq!(read(&machine, MEMORY, 0x1_0000), worked_on(1));
        machine.reset().unwrap();
        assert_eq!(machine.frame(), text);
        let mut byte = [0];
        assert_eq!(machine.read_phys(Phys(MEMORY), &mut byte), 0);
    }
}

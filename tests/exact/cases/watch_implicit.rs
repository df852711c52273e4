//! Watchpoints, implicit accesses: frames, stacks, strings and ports, each kind, stepped and in free run.

use super::watch::frame_byte;
use super::*;

pub fn cases() -> Vec<Case> {
    vec![
        case("watched: the frame of an interrupt", ALL, |guest| {
            writes(guest, interrupt, interrupted)
        }),
        case("watched: the frame of a fault", ALL, |guest| writes(guest, divide, divided)),
        case("watched: iret", RING0, |guest| reads(guest, iret, returned_from_interrupt)),
        case("watched: push", ALL, |guest| writes(guest, push, pushed)),
        case("watched: pop", ALL, |guest| reads(guest, pop, popped)),
        case("watched: call", ALL, |guest| writes(guest, call, called)),
        case("watched: ret", ALL, |guest| reads(guest, ret, returned)),
        case("watched: call far", ALL, |guest| writes(guest, call_far, called_far)),
        case("watched: ret far", ALL, |guest| reads(guest, ret_far, returned_far)),
        case("watched: pusha", LEGACY, |guest| writes(guest, pusha, pushed_all)),
        case("watched: popa", LEGACY, |guest| reads(guest, popa, popped_all)),
        case("watched: enter", ALL, |guest| writes(guest, enter, entered)),
        case("watched: leave", ALL, |guest| reads(guest, leave, left)),
        case("watched: push to video memory", ALL, |guest| writes(guest, push_to_video, pushed)),
        case("watched: pop from video memory", ALL, |guest| reads(guest, pop_from_video, popped)),
        case("watched: call with the stack in video memory", ALL, |guest| {
            writes(guest, call_in_video, called)
        }),
        case("watched: movsb from RAM to video memory, source", ALL, |guest| {
            reads(guest, movsb_to_video_source, moved_to_video)
        }),
        case("watched: movsb from RAM to video memory, destination", ALL, |guest| {
            writes(guest, movsb_to_video, moved_to_video)
        }),
        case("watched: movsb from video memory to RAM, source", ALL, |guest| {
            reads(guest, movsb_from_video, moved_from_video)
        }),
        case("watched: movsb from video memory to RAM, destination", ALL, |guest| {
            writes(guest, movsb_from_video_destination, moved_from_video)
        }),
        case("watched: lodsb", ALL, |guest| reads(guest, lodsb, loaded)),
        case("watched: scasb", ALL, |guest| reads(guest, scasb, scanned)),
        case("watched: xlatb", ALL, |guest| reads(guest, xlatb, translated)),
        case("watched: cmpxchg that does not exchange", ALL, |guest| {
            reads_and_writes(guest, cmpxchg, compared)
        }),
        case("watched: insb", ALL, |guest| writes(guest, insb, input)),
        case("watched: outsb", ALL, |guest| reads(guest, outsb, output)),
        case("watched: insb to video memory", ALL, |guest| {
            writes(guest, insb_to_video, input_to_video)
        }),
        case("watched: outsb from video memory", ALL, |guest| {
            reads(guest, outsb_from_video, output)
        }),
        case("write watch: rep insb, each iteration", ALL, |guest| {
            let len = guest.code("rep insb", &[0xf3, 0x6c]);
            guest.gpr([(Rcx, 5), (Rdi, DATA), (Rdx, 0xe9)])?;
            guest.watch(Write, DATA + 1, 3);
            for done in [2, 3, 4] {
                guest.run(|now| {
                    let more = if done == 2 { 2 } else { 1 };
                    now.add(Rdi, more);
                    now.add(Rcx, -more);
                    now.write(DATA, &[0xe9; 4][..done]);
                    now.watchpoint(Write, DATA + 1);
                })?;
            }
            guest.step(|now| {
                now.next(len);
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.write(DATA + 4, &[0xe9]);
            })
        }),
        case("access watch: rep insw, downwards", ALL, |guest| {
            guest.code("std", &[0xfd]);
            let prefix: &[u8] = if guest.mode.bits() == 16 { &[] } else { &[0x66] };
            let len = guest.code("rep insw", &[prefix, &[0xf3, 0x6d]].concat());
            guest.gpr([(Rcx, 3), (Rdi, DATA + 4), (Rdx, 0xe9)])?;
            guest.watch(Access, DATA + 1, 2);
            guest.run(|now| {
                now.next(1);
                now.flags(DF, 0);
                now.add(Rdi, -4);
                now.add(Rcx, -2);
                now.write(DATA + 2, &[0xe9, 0xff, 0xe9, 0xff]);
                now.watchpoint(Access, DATA + 1);
            })?;
            guest.run(|now| {
                now.next(len);
                now.add(Rdi, -2);
                now.add(Rcx, -1);
                now.write(DATA, &[0xe9, 0xff]);
                now.watchpoint(Access, DATA + 1);
            })
        }),
        case("write watch: rep insb to video memory, each iteration", ALL, |guest| {
            let len = guest.code("rep insb", &[0xf3, 0x6c]);
            guest.point(0, VGA)?;
            guest.gpr([(Rcx, 3), (Rdx, 0xe9)])?;
            guest.watch(Write, VGA + 1, 2);
            guest.run(|now| {
                now.add(Rdi, 2);
                now.add(Rcx, -2);
                now.write(VGA, &[0xe9; 2]);
                now.watchpoint(Write, VGA + 1);
            })?;
            guest.run(|now| {
                now.next(len);
                now.add(Rdi, 1);
                now.add(Rcx, -1);
                now.write(VGA + 2, &[0xe9]);
                now.watchpoint(Write, VGA + 1);
            })
        }),
        case("access watch: rep outsb, each iteration", ALL, |guest| {
            let len = guest.code("rep outsb", &[0xf3, 0x6e]);
            guest.poke(DATA, b"abc");
            guest.gpr([(Rcx, 3), (Rsi, DATA), (Rdx, 0xe9)])?;
            guest.watch(Access, DATA + 1, 2);
            guest.run(|now| {
                now.add(Rsi, 2);
                now.add(Rcx, -2);
                now.console.extend(b"ab");
                now.watchpoint(Access, DATA + 1);
            })?;
            guest.run(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.add(Rcx, -1);
                now.console.push(b'c');
                now.watchpoint(Access, DATA + 1);
            })
        }),
        case("access watch: rep outsb from video memory, each iteration", ALL, |guest| {
            let len = guest.code("rep outsb", &[0xf3, 0x6e]);
            guest.poke(VGA, b"abc");
            guest.point(VGA, 0)?;
            guest.gpr([(Rcx, 3), (Rdx, 0xe9)])?;
            guest.watch(Access, VGA + 1, 2);
            guest.run(|now| {
                now.add(Rsi, 2);
                now.add(Rcx, -2);
                now.console.extend(b"ab");
                now.watchpoint(Access, VGA + 1);
            })?;
            guest.run(|now| {
                now.next(len);
                now.add(Rsi, 1);
                now.add(Rcx, -1);
                now.console.push(b'c');
                now.watchpoint(Access, VGA + 1);
            })
        }),
    ]
}

/// Top of a stack in text memory.
const VIDEO_STACK: u64 = VGA + 0x100;

fn frame_top(mode: Mode) -> u64 {
    STACK - 5 * u64::from(mode.word())
}

fn interrupt(guest: &mut Subject) -> Result<Watched, String> {
    let len = guest.code("int 0x20", &[0xcd, 0x20]);
    Ok(Watched { len, addr: frame_byte(guest.mode), bytes: 1 })
}

fn interrupted(now: &mut Want, len: usize) {
    now.next(len);
    now.interrupt(0x20);
}

fn divide(guest: &mut Subject) -> Result<Watched, String> {
    let len = guest.code("div bl", &[0xf6, 0xf3]);
    Ok(Watched { len, addr: frame_byte(guest.mode), bytes: 1 })
}

fn divided(now: &mut Want, _: usize) {
    now.fault(0, None);
}

fn iret(guest: &mut Subject) -> Result<Watched, String> {
    let len = guest.code("iret", &[&guest.wide()[..], &[0xcf]].concat());
    let word = usize::from(guest.mode.word());
    let frame = [FAR, guest.mode.code().into(), 2, STACK, guest.mode.data().into()];
    let top = frame_top(guest.mode);
    for (at, value) in (0..).zip(frame) {
        guest.poke(top + at * word as u64, &value.to_le_bytes()[..word]);
    }
    guest.gpr([(Rsp, top)])?;
    Ok(Watched { len, addr: frame_top(guest.mode) + 2, bytes: 1 })
}

fn returned_from_interrupt(now: &mut Want, _: usize) {
    now.iret();
}

fn push(guest: &mut Subject) -> Result<Watched, String> {
    guest.gpr([(Rax, 0x55)])?;
    let len = guest.code("push {ax}", &[0x50]);
    Ok(Watched { len, addr: STACK - 2, bytes: 2 })
}

fn pushed(now: &mut Want, len: usize) {
    now.next(len);
    now.push(0x55, now.mode.word());
}

fn pop(guest: &mut Subject) -> Result<Watched, String> {
    guest.gpr([(Rsp, STACK - 8)])?;
    let len = guest.code("pop {ax}", &[0x58]);
    Ok(Watched { len, addr: STACK - 8, bytes: 1 })
}

fn popped(now: &mut Want, len: usize) {
    now.next(len);
    let size = now.mode.word();
    let value = now.pop(size);
    now.set(Rax, value, size);
}

/// CALL over nothing but itself.
fn call(guest: &mut Subject) -> Result<Watched, String> {
    let width = if guest.mode.bits() == 16 { 2 } else { 4 };
    let len = guest.code("call $+5", &[&[0xe8][..], &[0; 4][..width]].concat());
    Ok(Watched { len, addr: STACK - 2, bytes: 1 })
}

fn called(now: &mut Want, len: usize) {
    now.next(len);
    now.push(now.cpu.rip, now.mode.word());
}

fn ret(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(STACK - 16, &FAR.to_le_bytes()[..guest.mode.word().into()]);
    guest.gpr([(Rsp, STACK - 16)])?;
    let len = guest.code("ret", &[0xc3]);
    Ok(Watched { len, addr: STACK - 16, bytes: 1 })
}

fn returned(now: &mut Want, _: usize) {
    let target = now.pop(now.mode.word());
    now.jump(target);
}

/// What [`FAR`] is called in a far pointer of the mode.
fn far_address(mode: Mode) -> (u16, u64) {
    if mode.has_paragraphs() { (0xb00, 0) } else { (mode.code(), FAR) }
}

fn call_far(guest: &mut Subject) -> Result<Watched, String> {
    let (selector, offset) = far_address(guest.mode);
    let size = usize::from(guest.mode.word().min(4));
    guest.poke(DATA, &[&offset.to_le_bytes()[..size], &selector.to_le_bytes()].concat());
    guest.gpr([(Rsi, DATA)])?;
    let len = guest.code("call far [{si}]", &[0xff, guest.at(Rsi, 3)]);
    Ok(Watched { len, addr: STACK - 1, bytes: 1 })
}

fn called_far(now: &mut Want, len: usize) {
    now.next(len);
    let size = now.mode.word().min(4);
    let (back, cs) = (now.cpu.rip, now.cpu.segments.cs.selector);
    now.push(cs.into(), size);
    now.push(back, size);
    let (selector, offset) = far_address(now.mode);
    now.far_jump(selector, offset);
}

fn ret_far(guest: &mut Subject) -> Result<Watched, String> {
    let (selector, offset) = far_address(guest.mode);
    let size = usize::from(guest.mode.word().min(4));
    let selector = &u64::from(selector).to_le_bytes()[..size];
    guest.poke(STACK - 16, &[&offset.to_le_bytes()[..size], selector].concat());
    guest.gpr([(Rsp, STACK - 16)])?;
    let len = guest.code("retf", &[0xcb]);
    Ok(Watched { len, addr: STACK - 15, bytes: 1 })
}

fn returned_far(now: &mut Want, _: usize) {
    let size = now.mode.word().min(4);
    let offset = now.pop(size);
    let selector = u16::try_from(now.pop(size)).unwrap_or_default();
    now.far_jump(selector, offset);
}

fn pusha(guest: &mut Subject) -> Result<Watched, String> {
    let len = guest.code("pusha", &[0x60]);
    Ok(Watched { len, addr: STACK - 10, bytes: 1 })
}

fn pushed_all(now: &mut Want, len: usize) {
    now.next(len);
    let (size, sp) = (now.mode.word(), now.cpu.get(Rsp));
    for register in 0..8 {
        let value = if register == Rsp as usize { sp } else { now.cpu.gpr[register] };
        now.push(value, size);
    }
}

fn popa(guest: &mut Subject) -> Result<Watched, String> {
    guest.gpr([(Rsp, STACK - 32)])?;
    let len = guest.code("popa", &[0x61]);
    Ok(Watched { len, addr: STACK - 32, bytes: 1 })
}

fn popped_all(now: &mut Want, len: usize) {
    now.next(len);
    for register in [Rdi, Rsi, Gpr::Rbp, Rsp, Rbx, Rdx, Rcx, Rax] {
        let size = now.mode.word();
        let value = now.pop(size);
        if register != Rsp {
            now.set(register, value, size);
        }
    }
}

fn enter(guest: &mut Subject) -> Result<Watched, String> {
    guest.gpr([(Gpr::Rbp, 0x7777)])?;
    let len = guest.code("enter 8, 0", &[0xc8, 8, 0, 0]);
    Ok(Watched { len, addr: STACK - 2, bytes: 1 })
}

fn entered(now: &mut Want, len: usize) {
    now.next(len);
    now.push(0x7777, now.mode.word());
    let top = now.cpu.get(Rsp);
    now.set(Gpr::Rbp, top, now.mode.word());
    now.add(Rsp, -8);
}

fn leave(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(STACK - 16, &[0x33, 0x33]);
    guest.gpr([(Rsp, STACK - 32), (Gpr::Rbp, STACK - 16)])?;
    let len = guest.code("leave", &[0xc9]);
    Ok(Watched { len, addr: STACK - 16, bytes: 1 })
}

fn left(now: &mut Want, len: usize) {
    now.next(len);
    let (size, frame) = (now.mode.word(), now.cpu.get(Gpr::Rbp));
    now.set(Rsp, frame, size);
    let value = now.pop(size);
    now.set(Gpr::Rbp, value, size);
}

/// Moves the stack to text memory, its pointer `below` [`VIDEO_STACK`].
fn stack_in_video(guest: &mut Subject, below: u64) -> Verdict {
    let mode = guest.mode;
    guest.set(|cpu| {
        let selector = match mode {
            Mode::R | Mode::V => 0xb800,
            Mode::P16 => VIDEO16,
            mode => mode.data(),
        };
        cpu.segments.ss = mode.segment(selector);
        *cpu.get_mut(Rsp) = VIDEO_STACK - below - cpu.segments.ss.base;
    })
}

fn push_to_video(guest: &mut Subject) -> Result<Watched, String> {
    stack_in_video(guest, 0)?;
    Ok(Watched { addr: VIDEO_STACK - 2, ..push(guest)? })
}

fn pop_from_video(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(VIDEO_STACK - 8, b"01234567");
    stack_in_video(guest, 8)?;
    let len = guest.code("pop {ax}", &[0x58]);
    Ok(Watched { len, addr: VIDEO_STACK - 8, bytes: 1 })
}

fn call_in_video(guest: &mut Subject) -> Result<Watched, String> {
    stack_in_video(guest, 0)?;
    Ok(Watched { addr: VIDEO_STACK - 2, ..call(guest)? })
}

fn movsb_to_video(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(DATA, b"M");
    guest.point(DATA, VGA + 6)?;
    let len = guest.code("movsb", &[0xa4]);
    Ok(Watched { len, addr: VGA + 6, bytes: 1 })
}

fn moved_to_video(now: &mut Want, len: usize) {
    now.next(len);
    now.add(Rsi, 1);
    now.add(Rdi, 1);
    now.write(VGA + 6, b"M");
}

fn movsb_from_video(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(VGA + 6, b"V");
    guest.point(VGA + 6, DATA)?;
    let len = guest.code("movsb", &[0xa4]);
    Ok(Watched { len, addr: VGA + 6, bytes: 1 })
}

fn moved_from_video(now: &mut Want, len: usize) {
    now.next(len);
    now.add(Rsi, 1);
    now.add(Rdi, 1);
    now.write(DATA, b"V");
}

fn lodsb(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(DATA, b"L");
    guest.gpr([(Rsi, DATA)])?;
    let len = guest.code("lodsb", &[0xac]);
    Ok(Watched { len, addr: DATA, bytes: 1 })
}

fn loaded(now: &mut Want, len: usize) {
    now.next(len);
    now.add(Rsi, 1);
    now.set(Rax, b'L'.into(), 1);
}

fn scasb(guest: &mut Subject) -> Result<Watched, String> {
    guest.gpr([(Rdi, DATA)])?;
    let len = guest.code("scasb", &[0xae]);
    Ok(Watched { len, addr: DATA, bytes: 1 })
}

fn scanned(now: &mut Want, len: usize) {
    now.next(len);
    now.add(Rdi, 1);
    now.flags(ZF | PF, ARITHMETIC);
}

fn xlatb(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(DATA + 7, b"X");
    guest.gpr([(Rbx, DATA), (Rax, 7)])?;
    let len = guest.code("xlatb", &[0xd7]);
    Ok(Watched { len, addr: DATA + 7, bytes: 1 })
}

fn translated(now: &mut Want, len: usize) {
    now.next(len);
    now.set(Rax, b'X'.into(), 1);
}

/// The comparison fails, and the processor writes what it has read (SDM vol. 2A, CMPXCHG).
fn cmpxchg(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(DATA, &[1]);
    guest.gpr([(Rsi, DATA), (Rax, 2), (Rbx, 3)])?;
    let len = guest.code("cmpxchg [{si}], bl", &[0x0f, 0xb0, guest.at(Rsi, 3)]);
    Ok(Watched { len, addr: DATA, bytes: 1 })
}

fn compared(now: &mut Want, len: usize) {
    now.next(len);
    now.set(Rax, 1, 1);
    now.flags(0, ARITHMETIC);
}

fn insb(guest: &mut Subject) -> Result<Watched, String> {
    guest.gpr([(Rdi, DATA), (Rdx, 0xe9)])?;
    let len = guest.code("insb", &[0x6c]);
    Ok(Watched { len, addr: DATA, bytes: 1 })
}

fn input(now: &mut Want, len: usize) {
    now.next(len);
    now.add(Rdi, 1);
    now.write(DATA, &[0xe9]);
}

fn outsb(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(DATA, b"O");
    guest.gpr([(Rsi, DATA), (Rdx, 0xe9)])?;
    let len = guest.code("outsb", &[0x6e]);
    Ok(Watched { len, addr: DATA, bytes: 1 })
}

fn output(now: &mut Want, len: usize) {
    now.next(len);
    now.add(Rsi, 1);
    now.console.push(b'O');
}

fn insb_to_video(guest: &mut Subject) -> Result<Watched, String> {
    guest.point(0, VGA + 6)?;
    guest.gpr([(Rdx, 0xe9)])?;
    let len = guest.code("insb", &[0x6c]);
    Ok(Watched { len, addr: VGA + 6, bytes: 1 })
}

fn input_to_video(now: &mut Want, len: usize) {
    now.next(len);
    now.add(Rdi, 1);
    now.write(VGA + 6, &[0xe9]);
}

fn outsb_from_video(guest: &mut Subject) -> Result<Watched, String> {
    guest.poke(VGA + 6, b"O");
    guest.point(VGA + 6, 0)?;
    guest.gpr([(Rdx, 0xe9)])?;
    let len = guest.code("outsb", &[0x6e]);
    Ok(Watched { len, addr: VGA + 6, bytes: 1 })
}

fn movsb_to_video_source(guest: &mut Subject) -> Result<Watched, String> {
    Ok(Watched { addr: DATA, ..movsb_to_video(guest)? })
}

fn movsb_from_video_destination(guest: &mut Subject) -> Result<Watched, String> {
    Ok(Watched { addr: DATA, ..movsb_from_video(guest)? })
}

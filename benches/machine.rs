//! The machine beside the bare loop of a teaching VMM: start, run, exits and steps.
//!
//! Both sides do the same work with the same guest, which is checked before anything is measured.

#![allow(missing_docs)] // what criterion's macros make
#![allow(clippy::expect_used)]

mod bare;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bare::Bare;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use stepvisor::machine::{Boot, Config, Image, Machine, OnUnclaimed, StopReason};
use stepvisor::x86::{Linear, Phys, SegOff};

/// Writes a screen's head byte by byte, as `stepvisor run --load 0 --entry 0:0` boots it.
const BANNER: &[u8] = include_bytes!("../guests/bin/banner.bin");

const OUTS: u64 = 1000;
/// `cli; mov cx, 1000; again: out 80h, al; loop again; hlt`.
const OUT_LOOP: &[u8] = &[0xfa, 0xb9, 0xe8, 0x03, 0xe6, 0x80, 0xe2, 0xfc, 0xf4];

const STEPS: u64 = 1000;

/// A machine with the default memory that boots `image` at address 0.
fn machine(image: &[u8]) -> Machine {
    let image = Image::parse(image).expect("image");
    let boot = Boot { load: Some(Phys(0)), entry: Some(SegOff::new(0, 0)), ..Boot::new(image) };
    let devices = stepvisor::devices::Config::default();
    let config = Config {
        ram_size: 64 << 20,
        boot,
        devices,
        on_unclaimed: OnUnclaimed::Warn,
        firmware: false,
        disks: stepvisor::disk::Disks::default(),
    };
    Machine::new(config).expect("machine")
}

fn run_to_halt(machine: &mut Machine) {
    let stop = machine.run();
    assert!(matches!(stop, StopReason::Halted { .. }), "{stop}");
}

/// The time of `iters` runs of a machine, each from power-on; powering on does not count.
fn time_runs(machine: &mut Machine, iters: u64) -> Duration {
    let mut time = Duration::ZERO;
    for _ in 0..iters {
        machine.reset().expect("reset");
        let start = Instant::now();
        run_to_halt(machine);
        time += start.elapsed();
    }
    time
}

/// The same for the bare loop.
fn time_bare_runs(bare: &mut Bare, iters: u64) -> Duration {
    let mut time = Duration::ZERO;
    for _ in 0..iters {
        bare.restart();
        let start = Instant::now();
        black_box(bare.run());
        time += start.elapsed();
    }
    time
}

fn start(c: &mut Criterion) {
    let mut group = c.benchmark_group("start");
    group.bench_function("machine", |b| {
        b.iter_batched(|| (), |()| machine(BANNER), BatchSize::PerIteration);
    });
    group.bench_function("bare", |b| {
        b.iter_batched(|| (), |()| Bare::new(BANNER), BatchSize::PerIteration);
    });
    group.finish();
}

fn banner(c: &mut Criterion) {
    let mut machine = machine(BANNER);
    let mut bare = Bare::new(BANNER);
    run_to_halt(&mut machine);
    bare.run();
    // The first five rows: the guest writes nothing but the cells it draws.
    let mut seen = [0; 5 * 160];
    assert_eq!(machine.read_phys(Phys(0xb_8000), &mut seen), seen.len());
    let drawn = bare.video().iter().zip(seen).filter(|(expected, _)| **expected != 0);
    assert!(drawn.clone().count() > 400 && drawn.clone().all(|(a, b)| *a == b));

    let mut group = c.benchmark_group("banner");
    group.bench_function("machine", |b| b.iter_custom(|iters| time_runs(&mut machine, iters)));
    group.bench_function("bare", |b| b.iter_custom(|iters| time_bare_runs(&mut bare, iters)));
    group.finish();
}

fn exits(c: &mut Criterion) {
    let mut machine = machine(OUT_LOOP);
    let mut bare = Bare::new(OUT_LOOP);
    assert_eq!(bare.run(), OUTS + 1);

    let mut group = c.benchmark_group("exits");
    group.throughput(Throughput::Elements(OUTS));
    group.bench_function("machine", |b| b.iter_custom(|iters| time_runs(&mut machine, iters)));
    group.bench_function("bare", |b| b.iter_custom(|iters| time_bare_runs(&mut bare, iters)));
    group.finish();
}

/// `inc word [0x600]; loop` back to it; `jmp` back to it: what the machine leaves to KVM on any host.
const COUNTING: &[u8] = &[0xff, 0x06, 0x00, 0x06, 0xe2, 0xfa, 0xeb, 0xf8];

fn steps(c: &mut Criterion) {
    let mut machine = machine(COUNTING);
    let mut bare = Bare::new(COUNTING);
    // Both are back at the first instruction after two steps.
    assert_eq!((bare.step(), bare.step()), (4, 0));
    for pc in [4, 0] {
        assert!(matches!(machine.step(), StopReason::Stepped));
        assert_eq!(machine.cpu().pc().0, pc);
    }

    let mut group = c.benchmark_group("steps");
    group.throughput(Throughput::Elements(STEPS));
    group.bench_function("machine", |b| {
        b.iter(|| {
            for _ in 0..STEPS {
                black_box(machine.step());
            }
        });
    });
    group.bench_function("bare", |b| {
        b.iter(|| {
            for _ in 0..STEPS {
                black_box(bare.step());
            }
        });
    });
    group.finish();
}

const LOOPS: u64 = 500;
/// `mov cx, 500; again: inc ax; loop again; hlt`: 1 + 2 × 500 instructions and the HLT.
const LOOP: &[u8] = &[0xb9, 0xf4, 0x01, 0x40, 0xe2, 0xfd, 0xf4];

/// A run to 100 breakpoints that are never reached, beside as many bare steps.
fn breakpoints(c: &mut Criterion) {
    let mut machine = machine(LOOP);
    (0x10_0000..).take(100).for_each(|addr| machine.breakpoints_mut().insert(Linear(addr)));
    let mut bare = Bare::new(LOOP);
    let steps = 1 + 2 * LOOPS;

    let mut group = c.benchmark_group("breakpoints");
    group.throughput(Throughput::Elements(steps));
    group.bench_function("machine", |b| b.iter_custom(|iters| time_runs(&mut machine, iters)));
    group.bench_function("bare", |b| {
        b.iter_custom(|iters| {
            let mut time = Duration::ZERO;
            for _ in 0..iters {
                bare.restart();
                let start = Instant::now();
                (1..steps).for_each(|_| {
                    black_box(bare.step());
                });
                assert_eq!(bare.step(), 6);
                time += start.elapsed();
            }
            time
        });
    });
    group.finish();
}

/// `mov cx, 1000; again: int 80h; loop again; hlt`, and an IRET.
const INTERRUPTS: &[u8] = &[0xb9, 0xe8, 0x03, 0xcd, 0x80, 0xe2, 0xfc, 0xf4, 0xcf];

/// A thousand interrupts that some hosts never get past by themselves.
fn interrupts(c: &mut Criterion) {
    // Not at 0, where the vectors are.
    let image = Image::parse(INTERRUPTS).expect("image");
    let boot = Boot::new(image);
    let devices = stepvisor::devices::Config::default();
    let config = Config {
        ram_size: 64 << 20,
        boot,
        devices,
        on_unclaimed: OnUnclaimed::Warn,
        firmware: false,
        disks: stepvisor::disk::Disks::default(),
    };
    let mut machine = Machine::new(config).expect("machine");
    let mut group = c.benchmark_group("interrupts");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("machine", |b| {
        b.iter_custom(|iters| {
            let mut time = Duration::ZERO;
            for _ in 0..iters {
                machine.reset().expect("reset");
                machine.write_phys(Phys(0x80 * 4), &[8, 0x7c, 0, 0]);
                let start = Instant::now();
                run_to_halt(&mut machine);
                time += start.elapsed();
            }
            time
        });
    });
    group.finish();
}

/// Finding out what the host's KVM does, once a process.
fn probe(c: &mut Criterion) {
    let mut group = c.benchmark_group("probe");
    group.bench_function("machine", |b| b.iter(|| stepvisor::kvm::probe::probe().expect("probe")));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4));
    targets = start, banner, exits, steps, breakpoints, interrupts, probe
}
criterion_main!(benches);

//! Every instruction that the machine completes where KVM refuses it, in every mode, and the ordinary ones that it steps
//! over itself, with operands from one end to the other: the results are those of a processor.
//!
//! `golden.txt` holds what kvm-amd does, one line a case; `exceptions.txt` the lines in which the manual differs from that
//! host, which is itself emulated, and why; `software.txt` the cases of which a software KVM makes something else in a free
//! run, where nobody can notice, and why. An instruction that CPUID does not offer is #UD. `sweep --print` prints the
//! results of this host instead of comparing them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are tests

#[path = "../common/mod.rs"]
mod common;

mod case;
mod forms;
mod ordinary;
mod transfers;

use std::collections::BTreeMap;
use std::process::ExitCode;

use case::{Case, Drive};
use common::modes::{End, Mode, machine_in, run};
use libtest_mimic::{Arguments, Failed, Trial};
use stepvisor::kvm::probe::host_facts;
use stepvisor::machine::StopReason;
use stepvisor::x86::{Feature, Features, Gpr};

const GOLDEN: &str = include_str!("golden.txt");
const EXCEPTIONS: &str = include_str!("exceptions.txt");
const SOFTWARE: &str = include_str!("software.txt");

const MODES: [Mode; 6] =
    [Mode::Real, Mode::V86, Mode::Protected, Mode::Protected3, Mode::Long, Mode::Long3];

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--print") {
        print();
        return ExitCode::SUCCESS;
    }
    let trials = MODES.into_iter().flat_map(|mode| {
        [Drive::Run, Drive::Step].map(|drive| {
            let name = format!("{}_{}_as_a_processor_does", drive.name(), name(mode));
            Trial::test(name, move || compare(mode, drive))
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn name(mode: Mode) -> String {
    format!("{mode:?}").to_lowercase()
}

fn cases(mode: Mode) -> Vec<Case> {
    let mut cases = forms::cases(mode);
    cases.extend(transfers::cases(mode));
    cases.extend(ordinary::cases(mode));
    cases
}

/// The results of this host, with a remark where a step gives another one than a run.
fn print() {
    for mode in MODES.into_iter().filter(|mode| exists(*mode)) {
        let mut machine = machine_in(mode, &[]);
        for case in cases(mode) {
            let ran = case.result(&mut machine, mode, Drive::Run);
            println!("{} => {ran}", case.name);
            let stepped = case.result(&mut machine, mode, Drive::Step);
            if stepped != ran {
                println!("STEP {} => {stepped}", case.name);
            }
        }
    }
}

/// What CPUID tells guests here.
fn features() -> Features {
    Features::from_cpuid(|leaf| {
        // mov eax, leaf; xor ecx, ecx; cpuid; hlt
        let leaf = leaf.to_le_bytes();
        let code = [&[0x66, 0xb8], &leaf[..], &[0x66, 0x31, 0xc9, 0x0f, 0xa2, 0xf4]].concat();
        let mut machine = common::boot(&code);
        let stop = machine.run();
        assert!(matches!(stop, StopReason::Halted { .. }), "{stop}");
        let answer = [Gpr::Rax, Gpr::Rbx, Gpr::Rcx, Gpr::Rdx];
        answer.map(|gpr| machine.cpu().get(gpr) as u32)
    })
}

/// What CPUID has to offer for the instruction of the case `name`.
fn needs(name: &str) -> Option<Feature> {
    let form = name.split(' ').nth(1).unwrap_or_default();
    Some(match form.split('-').next().unwrap_or_default() {
        "popcnt" => Feature::Popcnt,
        "movbe" => Feature::Movbe,
        "crc32" => Feature::Sse42,
        "cmpxchg16b" => Feature::Cmpxchg16b,
        "rdrand" => Feature::Rdrand,
        "rdseed" => Feature::Rdseed,
        "xgetbv" => Feature::Xsave,
        "rdtscp" => Feature::Rdtscp,
        "clac" | "stac" => Feature::Smap,
        "clwb" => Feature::Clwb,
        "adcx" | "adox" => Feature::Adx,
        "andn" | "bextr" | "blsi" | "blsmsk" | "blsr" => Feature::Bmi1,
        "bzhi" | "mulx" | "pdep" | "pext" | "rorx" | "sarx" | "shlx" | "shrx" => Feature::Bmi2,
        _ => return None,
    })
}

/// Whether this host has `mode` at all.
fn exists(mode: Mode) -> bool {
    let end = run(&mut machine_in(mode, &[0x90]));
    match end {
        End::Done => true,
        End::Stopped(StopReason::Refused(refusal)) if mode == Mode::V86 => {
            assert!(refusal.cause.contains("virtual-8086 mode"), "{refusal}");
            eprintln!("skipped: {}", refusal.cause);
            false
        }
        end => panic!("{mode:?}: {end:?}"),
    }
}

/// The lines of a file that are no comments.
fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn compare(mode: Mode, drive: Drive) -> Result<(), Failed> {
    if !exists(mode) {
        return Ok(());
    }
    let parse =
        |text| lines(text).map(|line| line.split_once(" => ").expect("a name and a result"));
    let golden: BTreeMap<&str, &str> = parse(GOLDEN).collect();
    let exceptions: BTreeMap<&str, &str> = parse(EXCEPTIONS).collect();
    let software = host_facts()?.refuses_integers();
    let features = features();
    let mut machine = machine_in(mode, &[]);
    let mut differences = Vec::new();
    let (mut by_manual, mut by_software, mut not_offered) = (0, 0, 0);
    for case in cases(mode) {
        let name = case.name.as_str();
        let found = case.result(&mut machine, mode, drive);
        let offered = needs(name).is_none_or(|feature| features.has(feature));
        if offered && golden.get(name) == Some(&found.as_str()) {
            continue;
        }
        if !offered && found.starts_with("#6 ") {
            not_offered += 1;
        } else if offered && exceptions.get(name) == Some(&found.as_str()) {
            by_manual += 1;
        } else if software
            && drive == Drive::Run
            && lines(SOFTWARE).any(|start| name.starts_with(start))
        {
            by_software += 1;
        } else {
            let expected =
                exceptions.get(name).or(golden.get(name)).unwrap_or(&"(not in golden.txt)");
            let expected = if offered { expected } else { "#6, for CPUID does not offer it" };
            differences.push(format!("{name}:\n  expected {expected}\n  found    {found}"));
        }
    }
    eprintln!(
        "{}: {by_manual} by exceptions.txt, {by_software} by software.txt, {not_offered} not offered by CPUID",
        name(mode)
    );
    if differences.is_empty() {
        return Ok(());
    }
    let number = differences.len();
    differences.truncate(40);
    Err(format!("{number} differences:\n{}", differences.join("\n")).into())
}

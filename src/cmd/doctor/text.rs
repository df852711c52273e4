//! The report for people.

use std::fmt::Write;

use stepvisor::kvm::HostFacts;
use stepvisor::kvm::probe::{ByMode, ExitRip, HltStep, Int3, IntStep, RepSteps};

use super::findings::Mechanisms;
use super::{Gdb, KvmReport, Report};

/// The whole report.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    row(&mut text, "stepvisor", report.stepvisor);
    row(&mut text, "KVM", &kvm(&report.kvm));
    if let Some(claims) = &report.kvm.claims {
        let (has, lacks): (Vec<_>, Vec<_>) =
            claims.capabilities.iter().partition(|capability| capability.present);
        let names = |of: Vec<&stepvisor::kvm::host::Capability>| {
            of.into_iter().map(|capability| capability.name).collect::<Vec<_>>().join(", ")
        };
        row(&mut text, "", &format!("says it has {}", names(has)));
        if !lacks.is_empty() {
            row(&mut text, "", &format!("says it lacks {}", names(lacks)));
        }
    }
    let unknown = || "unknown".to_owned();
    row(&mut text, "kernel", &report.kernel.clone().unwrap_or_else(unknown));
    let cpu = [&report.cpu.vendor, &report.cpu.model].into_iter().flatten();
    row(&mut text, "processor", &cpu.cloned().collect::<Vec<_>>().join(", "));
    row(&mut text, "gdb", &gdb(&report.gdb));
    if let Some(facts) = &report.facts {
        let time = report.probe_milliseconds.unwrap_or_default();
        let _ = writeln!(text, "\nWhat this host's KVM does (tried out in {time} ms):");
        does(&mut text, facts);
    }
    if let Some(mechanisms) = &report.mechanisms {
        text.push_str("\nWhat the debugger therefore does:\n");
        therefore(&mut text, mechanisms);
    }
    if report.facts.is_some() {
        text.push_str("\nWhat is impossible or not right on this host:\n");
        if report.impossible.is_empty() {
            line(&mut text, "nothing that is known");
        }
        report.impossible.iter().for_each(|item| line(&mut text, item));
    }
    text
}

fn row(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name:<12}{value}");
}

fn line(text: &mut String, value: &str) {
    let _ = writeln!(text, "  {value}");
}

fn kvm(kvm: &KvmReport) -> String {
    let mut text = match (&kvm.error, &kvm.claims) {
        (Some(error), _) => format!("cannot be used: {error}"),
        (None, Some(claims)) => format!("can be used, API version {}", claims.api_version),
        (None, None) => "can be used".to_owned(),
    };
    if !kvm.modules.is_empty() {
        let _ = write!(text, "; modules {}", kvm.modules.join(", "));
    }
    if let Some(device) = &kvm.device {
        let _ = write!(
            text,
            "; /dev/kvm has mode {}, user {}, group {}",
            device.mode, device.uid, device.gid
        );
    }
    text
}

fn gdb(gdb: &Gdb) -> String {
    match (&gdb.error, &gdb.version) {
        (Some(error), _) => format!("{}: {error}", gdb.program),
        (None, version) => {
            let version = version.as_deref().unwrap_or("of unknown version");
            let python = if gdb.python { "with Python" } else { "without Python" };
            format!("{version}, {python}")
        }
    }
}

fn does(text: &mut String, facts: &HostFacts) {
    let step = &facts.step;
    let yes = |holds: bool| if holds { "yes" } else { "no" }.to_owned();
    let int3 = |int3: Int3| match int3 {
        Int3::Exits => "leaves the guest",
        Int3::Refused => "is refused",
        Int3::RunsHandler => "runs the guest's handler",
    };
    let rep = |rep: RepSteps| match rep {
        RepSteps::Whole => "whole",
        RepSteps::ByIteration => "one iteration at a time",
    };
    let rip = |rip: ExitRip| match rip {
        ExitRip::At => "at the instruction",
        ExitRip::Past => "behind the instruction",
    };
    let endless = [
        (facts.endless.int_80h_real, "INT 80h to FFh in real mode"),
        (facts.endless.vmcall, "VMCALL"),
        (facts.endless.vmmcall, "VMMCALL"),
    ];
    let refused = [
        (facts.refused.int_protected, "INT in protected mode"),
        (facts.refused.iret_protected, "IRET in protected mode"),
        (facts.refused.decimal, "DAA and the like"),
        (facts.refused.bit_count, "POPCNT and the like"),
        (facts.refused.x87, "x87 arithmetic"),
        (facts.refused.sse, "SSE arithmetic"),
    ];
    let hlt = match step.hlt {
        HltStep::Hlt => "a HLT exit",
        HltStep::Debug => "a debug exit, as if it had not halted",
    };
    let int = match step.int_real {
        IntStep::EntersHandler => "stops in its handler",
        IntStep::RunsHandler => "runs its handler through",
    };
    let rows = [
        ("execute breakpoints fire in", modes(&facts.execute_breakpoints)),
        ("data breakpoints fire in", modes(&facts.data_breakpoints)),
        (
            "a data breakpoint in REP fires",
            facts.data_breakpoint_in_rep.map_or("never", rep).to_owned(),
        ),
        ("general detect stops at MOV DR", yes(facts.general_detect)),
        ("RF leads over a breakpoint", yes(facts.resume_flag_passes)),
        (
            "INT3",
            format!(
                "{} in real mode, {} in protected mode",
                int3(facts.int3_real),
                int3(facts.int3_protected)
            ),
        ),
        ("single-step is exact in", modes(&step.exact)),
        ("an exit loses the trap flag", yes(step.lost_by_exit)),
        ("a step over HLT gives", hlt.to_owned()),
        ("a step over OUT exits", rip(step.out).to_owned()),
        ("a step over a device write exits", rip(step.mmio_write).to_owned()),
        ("a step takes REP", rep(step.rep).to_owned()),
        ("a step over a load of SS takes", count(step.load_ss_shadow)),
        ("a step over INT n", int.to_owned()),
        ("PUSHF shows our trap flag", yes(step.pushf_shows_flag)),
        ("SYSCALL in ring 3 leads to ring 0", yes(facts.syscall_changes_ring)),
        ("a shutdown resets the processor", yes(facts.shutdown_resets)),
        ("32-bit paging is possible", yes(facts.paging32)),
        ("KVM refuses in ring 0", list(&refused)),
        ("KVM never gets past", list(&endless)),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "  {name:<34}{value}");
    }
}

fn count(two: bool) -> String {
    if two { "two instructions" } else { "one instruction" }.to_owned()
}

fn list(items: &[(bool, &str)]) -> String {
    let names: Vec<&str> =
        items.iter().filter_map(|(holds, name)| holds.then_some(*name)).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn modes(fact: &ByMode<bool>) -> String {
    let all = [
        (fact.real, "real mode"),
        (fact.protected, "protected mode"),
        (fact.long, "long mode ring 0"),
        (fact.user, "long mode ring 3"),
    ];
    if all.iter().all(|(holds, _)| *holds) {
        return "every mode".to_owned();
    }
    list(&all).replace("nothing", "no mode")
}

fn therefore(text: &mut String, mechanisms: &Mechanisms) {
    let how = |name: &str| match name {
        "debug-registers" => "debug registers, at full speed",
        "device-model" => "seen by the device; its memory is no longer written in batches",
        _ => "stepping, tens of times slower",
    };
    let rows = [
        ("up to 4 breakpoints, real mode", mechanisms.breakpoints_real),
        ("up to 3, protected mode", mechanisms.breakpoints_protected),
        ("up to 3, long mode", mechanisms.breakpoints_long),
        ("up to 3, long mode with ring 3", mechanisms.breakpoints_long_with_ring3),
        ("more breakpoints", mechanisms.more_breakpoints),
        ("watch writes to RAM", mechanisms.watch_ram_writes),
        ("watch reads and writes of RAM", mechanisms.watch_ram_accesses),
        ("watch reads of RAM", mechanisms.watch_ram_reads),
        ("watch device memory", mechanisms.watch_device_memory),
    ];
    for (what, name) in rows {
        let _ = writeln!(text, "  {what:<34}{}", how(name));
    }
    line(
        text,
        "INT3 is never written into the guest: no KVM can hide it from a guest that reads its code",
    );
    if mechanisms.completes_integers {
        line(text, "integer instructions that KVM refuses are completed in software");
    }
    if mechanisms.completes_calls {
        line(
            text,
            "SYSCALL, which leads on in ring 3, is caught by a page fault and completed in software",
        );
    }
    if mechanisms.deadline {
        line(
            text,
            "a timer notices what KVM never gets past, and the debugger completes it by hand",
        );
    }
}

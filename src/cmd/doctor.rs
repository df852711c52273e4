//! `stepvisor doctor`: whether this host can run and debug guests, what its KVM does, and what the debugger
//! therefore does.

mod findings;
mod text;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;
use stepvisor::kvm::HostFacts;
use stepvisor::kvm::host::{self, Claims};
use stepvisor::kvm::probe::{self, AsManual};

use crate::cli::Doctor;
use crate::exit_code::ExitCode;
use findings::Mechanisms;

/// All that is found. The keys of its JSON are stable: programs read them.
#[derive(Debug, Serialize)]
struct Report {
    stepvisor: &'static str,
    kernel: Option<String>,
    cpu: Cpu,
    kvm: KvmReport,
    gdb: Gdb,
    /// What KVM does; nothing if it cannot be used.
    facts: Option<HostFacts>,
    /// How long it took to find that out, in milliseconds.
    probe_milliseconds: Option<f64>,
    mechanisms: Option<Mechanisms>,
    /// What guests that run freely see; nothing if KVM cannot be used.
    as_manual: Option<AsManual>,
    impossible: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Cpu {
    vendor: Option<String>,
    model: Option<String>,
}

#[derive(Debug, Serialize)]
struct KvmReport {
    usable: bool,
    /// Why not, and what to do about it.
    error: Option<String>,
    device: Option<Device>,
    /// Kernel modules, the one for the processor last.
    modules: Vec<String>,
    #[serde(flatten)]
    claims: Option<Claims>,
}

/// The device file.
#[derive(Debug, Serialize)]
struct Device {
    /// Permission bits, as `ls` numbers them: 660.
    mode: String,
    uid: u32,
    gid: u32,
}

#[derive(Debug, Serialize)]
struct Gdb {
    program: String,
    usable: bool,
    error: Option<String>,
    /// The first line of `--version`.
    version: Option<String>,
    python: bool,
}

/// Carries out `stepvisor doctor`.
pub fn run(args: &Doctor) -> anyhow::Result<ExitCode> {
    let report = examine(&args.gdb);
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&report)?)
    } else {
        text::text(&report)
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // A reader that has gone away has seen what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(if !report.kvm.usable {
        ExitCode::Kvm
    } else if !report.gdb.usable {
        ExitCode::Gdb
    } else {
        ExitCode::Success
    })
}

fn examine(gdb: &Path) -> Report {
    let start = Instant::now();
    let (claims, facts) = (host::claims(), probe::host_facts());
    let elapsed = start.elapsed();
    let error = claims.as_ref().err().or(facts.as_ref().err()).map(|error| error.with_cause());
    let facts = facts.ok().copied();
    let as_manual = facts.and_then(|_| probe::as_manual().ok());
    Report {
        stepvisor: env!("CARGO_PKG_VERSION"),
        kernel: first_line("/proc/sys/kernel/osrelease"),
        cpu: Cpu { vendor: cpu_field("vendor_id"), model: cpu_field("model name") },
        kvm: KvmReport {
            usable: error.is_none(),
            error,
            device: device(),
            modules: modules(),
            claims: claims.ok(),
        },
        gdb: examine_gdb(gdb),
        facts,
        probe_milliseconds: facts.map(|_| (elapsed.as_secs_f64() * 1e4).round() / 10.0),
        mechanisms: facts.map(|facts| findings::mechanisms(&facts)),
        as_manual,
        impossible: findings::impossible(facts.as_ref(), as_manual.as_ref()),
    }
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().map(str::to_owned)
}

/// The value of `name` for the first processor.
fn cpu_field(name: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn device() -> Option<Device> {
    let metadata = fs::metadata("/dev/kvm").ok()?;
    let mode = format!("{:o}", metadata.permissions().mode() & 0o7777);
    Some(Device { mode, uid: metadata.uid(), gid: metadata.gid() })
}

/// KVM's modules; also those that are built into the kernel and have parameters.
fn modules() -> Vec<String> {
    let entries = fs::read_dir("/sys/module").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| name == "kvm" || name.starts_with("kvm_")).collect();
    names.sort();
    names
}

fn examine_gdb(program: &Path) -> Gdb {
    let version = output_of(program, &["--version"]);
    let python = output_of(program, &["-nx", "-batch", "-ex", "python print(6 * 7)"]);
    let error = match &version {
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Some("not installed: apt-get install gdb, or name another with --gdb".to_owned())
        }
        Err(error) => Some(error.to_string()),
    };
    Gdb {
        program: program.display().to_string(),
        usable: error.is_none(),
        error,
        version: version.ok().and_then(|text| text.lines().next().map(str::to_owned)),
        python: python.is_ok_and(|text| text.trim() == "42"),
    }
}

fn output_of(program: &Path, args: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{} fails: {}", args.join(" "), output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

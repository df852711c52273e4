//! What the script costs: packets between gdb and the server, from gdb's own log of them.

use std::fs;
use std::process::Command;

use libtest_mimic::Failed;

/// Steps that are counted.
const STEPS: usize = 40;
/// Packets about memory that one step may cost.
const BAR: usize = 3;

/// Steps through a guest and counts what each `stepi` asks about memory.
pub fn stepi_costs_few_memory_packets() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("packets");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepvisor"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("STEPVISOR_GDB");
    command.args(["debug", "guests/bin/calls.elf", "--", "-nx", "-batch"]);
    command.arg("-iex").arg(format!("set remotelogfile {}", log.display()));
    command.args(["-ex", "tbreak distant", "-ex", "continue"]);
    for _ in 0..STEPS {
        command.args(["-ex", "stepi"]);
    }
    command.args(["-ex", "bt"]);
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // The unwinder is at work, in the middle of the steps too: they lead through an interrupt and back.
    if !text.contains("tick () at") || !text.contains("#1") {
        return Err(format!("there are no frames:\n{text}").into());
    }
    let log = fs::read_to_string(log)?;
    let steps = log.split("\nw $vCont;s").skip(1);
    let counts: Vec<usize> = steps
        .map(|step| {
            let sent = step.lines().filter_map(|line| line.strip_prefix("w $"));
            sent.filter(|packet| {
                ["m", "x", "qSearch:memory"].iter().any(|it| packet.starts_with(it))
            })
            .count()
        })
        .collect();
    // Behind the last one there is the backtrace.
    let counts = counts.split_last().map_or(&[][..], |(_, counts)| counts);
    let most = counts.iter().max().copied().unwrap_or_default();
    if counts.len() + 1 < STEPS || most > BAR {
        return Err(format!("memory packets of each step, no more than {BAR}: {counts:?}").into());
    }
    Ok(())
}

//! Where a guest is, for the report of a failure: registers, source line, screen, and the instructions before.
//!
//! KVM keeps no history, so the guest is run once more, by steps, up to the same state: what it does depends on
//! nothing but its image. That is bounded, and whoever reads the report is told when it leads nowhere.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::verdict::Scene;
use crate::machine::record::Executed;
use crate::machine::{Config, Interrupts, Machine, StopReason, Typing};
use crate::x86::{CpuState, disasm, instruction};

/// How many instructions are shown.
pub const SHOWN: usize = 12;
/// So many instructions the second run may take.
const MOST_STEPS: u64 = 200_000;
/// So long it may take: ring 3 is stepped slowly on some hosts.
const PATIENCE: Duration = Duration::from_secs(10);

/// The state of a machine in which something went wrong.
#[derive(Clone, Debug)]
pub struct Snapshot {
    scene: Scene,
    cpu: CpuState,
    /// The processor has executed HLT.
    halted: bool,
    /// What is known of the past already.
    recent: Vec<Executed>,
}

impl Snapshot {
    /// Of `machine` as it is.
    #[must_use]
    pub fn of(machine: &Machine) -> Snapshot {
        let cpu = machine.cpu().clone();
        let mut bytes = [0; instruction::MAX_LEN];
        let len = machine.read_linear(cpu.pc(), &mut bytes);
        let code = disasm::disassemble(&bytes[..len], cpu.mode().code_bits(), cpu.rip);
        let mut stop = Vec::new();
        match machine.last_stop() {
            None | Some(StopReason::Stepped) => {}
            Some(reason) => {
                stop.push(reason.to_string());
                let account = machine.crash().map(|crash| crash.lines().to_vec());
                stop.extend(account.unwrap_or_default());
            }
        }
        let scene = Scene {
            location: cpu.location(),
            instruction: code.map_or_else(|| "(no memory)".to_owned(), |code| code.text),
            stop,
            screen: crate::ui::text::plain(&machine.frame()),
            ..Scene::default()
        };
        let recent = machine.recent_instructions();
        Snapshot { scene, cpu, halted: machine.is_halted(), recent }
    }

    /// The scene, with the source line from the ELF `symbols` and the instructions that led there. `again` is
    /// what the machine is made of, and `typing` what is typed at its start.
    #[must_use]
    pub fn scene(self, symbols: Option<&Path>, again: &Config, typing: &Typing) -> Scene {
        let Snapshot { mut scene, cpu, halted, recent } = self;
        scene.source = symbols.and_then(|path| source_line(path, cpu.pc().0));
        let recent = if recent.is_empty() {
            last_instructions(&cpu, halted, again, typing)
        } else {
            Ok(recent)
        };
        scene.history = match recent {
            Ok(recent) if recent.is_empty() => vec!["the guest has executed nothing".to_owned()],
            Ok(recent) => lines("the last instructions:", &recent),
            Err(reason) => vec![reason],
        };
        scene
    }

    /// The scene of a guest that does not come to an end, with the instructions that it goes on with.
    #[must_use]
    pub fn scene_of_hang(self, symbols: Option<&Path>, machine: &mut Machine) -> Scene {
        let Snapshot { mut scene, cpu, .. } = self;
        scene.source = symbols.and_then(|path| source_line(path, cpu.pc().0));
        machine.breakpoints_mut().clear();
        machine.take_kick();
        machine.forget_instructions();
        machine.remember_instructions(SHOWN);
        let mut end = None;
        for _ in 0..SHOWN {
            match machine.step() {
                StopReason::Stepped => {}
                stop => {
                    end = Some(stop);
                    break;
                }
            }
        }
        scene.history = lines("it goes on with:", &machine.recent_instructions());
        scene.history.extend(end.map(|stop| stop.to_string()));
        scene
    }
}

fn lines(title: &str, executed: &[Executed]) -> Vec<String> {
    let rows = executed.iter().map(|Executed { location, text, times }| match times {
        1 => format!("{location}  {text}"),
        times => format!("{location}  {text}  (x {times})"),
    });
    std::iter::once(title.to_owned()).chain(rows).collect()
}

/// Runs the guest again, up to the state `cpu`.
fn last_instructions(
    cpu: &CpuState,
    halted: bool,
    again: &Config,
    typing: &Typing,
) -> Result<Vec<Executed>, String> {
    let failed = |reason: String| format!("the instructions before are not known: {reason}");
    let mut machine = Machine::new(again.clone()).map_err(|error| failed(error.to_string()))?;
    machine.type_at_start(typing.clone()).map_err(|error| failed(error.to_string()))?;
    machine.remember_instructions(SHOWN);
    // They came while the guest ran, and keys with them.
    machine.set_interrupts(Interrupts::On);
    let begin = Instant::now();
    for _ in 0..MOST_STEPS {
        if begin.elapsed() > PATIENCE {
            break;
        }
        if same_place(machine.cpu(), cpu) && machine.is_halted() == halted {
            return Ok(machine.recent_instructions());
        }
        let stop = match machine.step() {
            // It waits for the next, as when it ran.
            StopReason::Halted { interruptible: true, .. } if !same_place(machine.cpu(), cpu) => {
                machine.wake()
            }
            stop => stop,
        };
        match stop {
            StopReason::Stepped | StopReason::Kicked => {}
            // Registers may not be the same on all hosts after a shutdown.
            _ if same_place(machine.cpu(), cpu) => return Ok(machine.recent_instructions()),
            stop => {
                return Err(failed(format!(
                    "run once more, the guest did not come there ({stop}); the debugger may have changed it"
                )));
            }
        }
    }
    Err(failed(format!(
        "run once more, the guest did not come there in {MOST_STEPS} instructions and {} seconds",
        PATIENCE.as_secs()
    )))
}

/// Whether two states are those of one place in a run. Access rights of segments differ between free and stepped
/// runs on some hosts.
fn same_place(a: &CpuState, b: &CpuState) -> bool {
    a.rip == b.rip && a.gpr == b.gpr && a.segments.cs.selector == b.segments.cs.selector
}

/// FILE:LINE of the code at `addr`, by binutils' addr2line.
fn source_line(elf: &Path, addr: u64) -> Option<String> {
    let mut command = Command::new("addr2line");
    command.arg("-e").arg(elf).arg(format!("{addr:#x}"));
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next()?.trim();
    // It may know of several lines at one address: `hello.asm:40 (discriminator 2)`.
    let line = line.split(" (").next()?;
    if line.starts_with('?') || line.ends_with(":?") || line.ends_with(":0") {
        return None;
    }
    let line = line.replace("//", "/");
    let here = std::env::current_dir().ok();
    let here = here.map(|directory| format!("{}/", directory.display())).unwrap_or_default();
    let line = line.strip_prefix(&here).unwrap_or(&line);
    Some(line.strip_prefix("./").unwrap_or(line).to_owned())
}

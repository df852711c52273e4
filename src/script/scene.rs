//! Where a guest is, for the report of a failure: registers, source line, screen, and the instructions before.
//!
//! KVM keeps no history, so the guest is run once more, by steps, up to the same state: what it does depends on
//! nothing but its image. That is bounded, and whoever reads the report is told when it leads nowhere.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::verdict::Scene;
use crate::machine::record::Executed;
use crate::machine::replay::{Bounds, Replayed};
use crate::machine::{Config, Interrupts, Machine, MachineError, StopReason, Typing};
use crate::x86::{CpuState, disasm, instruction};

/// How many instructions are shown.
pub const SHOWN: usize = 12;
/// What the second run may take: ring 3 is stepped slowly on some hosts.
const BOUNDS: Bounds = Bounds { steps: 200_000, time: Duration::from_secs(10) };

/// The state of a machine in which something went wrong.
#[derive(Clone, Debug)]
pub struct Snapshot {
    scene: Scene,
    cpu: CpuState,
    /// The instruction is a jump to itself.
    loops: bool,
    /// The processor has executed HLT.
    halted: bool,
    interrupts: Interrupts,
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
        let loops = instruction::jumps_to_itself(&bytes[..len], cpu.mode(), cpu.rip);
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
        let (halted, interrupts) = (machine.is_halted(), machine.interrupts());
        Snapshot { scene, cpu, loops, halted, interrupts, recent }
    }

    /// What may be meant where the guest does not come to an end, if that can be seen.
    #[must_use]
    pub fn hint_at_hang(&self) -> Option<&'static str> {
        self.loops.then_some(
            "it jumps to itself, for ever: is that its end? Then `ends: timeout`, or `limit: N` and `ends: limit`; or \
             let it execute `hlt` before a jump back to that (`ends: wait`)",
        )
    }

    /// The scene, with the source line from the ELF `symbols` and the instructions that led there. `again` is
    /// what the machine is made of, and `typing` what is typed at its start.
    #[must_use]
    pub fn scene(self, symbols: Option<&Path>, again: &Config, typing: &Typing) -> Scene {
        let Snapshot { mut scene, cpu, halted, interrupts, recent, .. } = self;
        scene.source = symbols.and_then(|path| source_line(path, cpu.pc().0));
        let recent = if recent.is_empty() {
            let again = Machine::for_replay(again.clone(), typing.clone(), interrupts);
            last_instructions(&cpu, halted, again)
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

/// Runs the guest again, up to the state of `cpu`.
fn last_instructions(
    cpu: &CpuState,
    halted: bool,
    again: Result<Machine, MachineError>,
) -> Result<Vec<Executed>, String> {
    let failed = |reason: String| Err(format!("the instructions before are not known: {reason}"));
    let mut machine = match again {
        Ok(machine) => machine,
        Err(error) => return failed(error.to_string()),
    };
    machine.remember_instructions(SHOWN);
    let replayed = machine.replay(BOUNDS, |machine, stop| {
        // Registers may not be the same on all hosts after a shutdown.
        let is_there =
            same_place(machine.cpu(), cpu) && (stop.is_some() || machine.is_halted() == halted);
        is_there.then(|| machine.recent_instructions())
    });
    match replayed {
        Replayed::Found(recent) => Ok(recent),
        Replayed::Stopped(stop) => failed(format!(
            "run once more, the guest did not come there ({stop}); the debugger may have changed it"
        )),
        Replayed::Spent => failed(format!(
            "run once more, the guest did not come there in {} instructions and {} seconds",
            BOUNDS.steps,
            BOUNDS.time.as_secs()
        )),
    }
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

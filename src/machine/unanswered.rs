//! A guest that raises one exception for ever, and nothing shows: nobody has taken its vector, the firmware's handler
//! returns to the instruction, and that raises it again.
//!
//! Looked at when a guest that runs has been interrupted anyway, so it costs nothing. It is told once, and only where
//! the frame of the exception is still to be seen.

use super::Machine;
use super::firmware::DATA;
use crate::bios::rom;
use crate::emulator::{self, Raised};
use crate::kvm::KvmError;
use crate::machine::crash::raised::Imagined;
use crate::x86::exceptions::name;
use crate::x86::instruction::{self, Kind, MAX_LEN, Rep};
use crate::x86::vectors::GENERAL_PROTECTION;
use crate::x86::{CpuMode, CpuState, Gpr, SegmentName};

const IRET: u8 = 0xcf;
/// What is told of a guest that executes what the firmware has below 500h.
const ASTRAY: &str = "; these are interrupt vectors and data of the BIOS, no code: a jump or return went astray, or the \
                      program ran on behind its end and past FFFFh";
/// Bytes of a frame in real mode: IP, CS, FLAGS.
const FRAME: u64 = 6;

impl Machine {
    /// Tells the user, once, of an exception that leads nowhere.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(super) fn look_for_unanswered(&mut self) -> Result<(), KvmError> {
        if self.told_unanswered || self.rerunning || self.replays {
            return Ok(());
        }
        if let Some(text) = self.unanswered()? {
            self.told_unanswered = true;
            self.tell(text);
        }
        Ok(())
    }

    /// An exception of real mode that only the firmware answers.
    fn unanswered(&mut self) -> Result<Option<String>, KvmError> {
        let here = self.vcpu.cpu();
        // A table elsewhere is the guest's own.
        if !self.firmware || here.mode() != CpuMode::Real || here.idtr.base != 0 {
            return Ok(None);
        }
        let Some(cpu) = self.before_exception() else { return Ok(None) };
        // The handlers of those above are services.
        let unanswered: Vec<u8> = (0..=GENERAL_PROTECTION)
            .filter(|vector| !self.hooks(*vector) && self.is_at_or_in(&cpu, rom::entry(*vector)))
            .collect();
        if unanswered.is_empty() {
            return Ok(None);
        }
        let Some(vector) = self.fault_of(&cpu)? else { return Ok(None) };
        if !unanswered.contains(&vector) {
            return Ok(None);
        }
        let place = match DATA.contains(&cpu.pc().0) {
            true => ASTRAY,
            false => "",
        };
        Ok(Some(format!(
            "{}: {} raises {}, again and again: the guest has no handler for it, and the firmware's just returns{place}",
            cpu.location(),
            self.instruction_words(&cpu),
            name(vector)
        )))
    }

    /// The vector of the fault that the instruction at CS:IP of `cpu` raises. An instruction that has to be tried out
    /// for that is so once, not each time that the guest is found there.
    fn fault_of(&mut self, cpu: &CpuState) -> Result<Option<u8>, KvmError> {
        let raised = match emulator::raised(cpu, &mut Imagined(self)) {
            Ok(raised) => raised,
            Err(_) if self.tried_out == Some(cpu.pc()) => return Ok(None),
            Err(_) => {
                self.tried_out = Some(cpu.pc());
                match self.runs_alone(cpu) {
                    true => self.raised_by(cpu)?,
                    false => {
                        let fault = emulator::operand_fault(cpu, &mut Imagined(self));
                        fault.map_or(Raised::Nothing, Raised::Fault)
                    }
                }
            }
        };
        Ok(match raised {
            Raised::Fault(fault) => Some(fault.vector),
            _ => None,
        })
    }

    /// Whether the instruction of `cpu` can be tried out without the one behind it, which runs as well where a load of
    /// SS or the like holds the trap back, and without that a device notices.
    fn runs_alone(&self, cpu: &CpuState) -> bool {
        let mut code = [0; MAX_LEN];
        let len = self.read_linear(cpu.pc(), &mut code);
        // What is no instruction raises #UD.
        let Some(facts) = instruction::decode(&code[..len], cpu.mode()) else { return true };
        let is_plain = matches!(
            facts.kind,
            Kind::Other | Kind::PushAll | Kind::Rep(Rep { io: None, .. }) | Kind::Movbe
        );
        is_plain && self.stays_in_ram(cpu)
    }

    /// The processor as it was before the exception whose frame is at the top of the stack or, if the handler has
    /// returned, just above it.
    fn before_exception(&self) -> Option<CpuState> {
        let mut cpu = self.vcpu.cpu().clone();
        let sp = cpu.get(Gpr::Rsp);
        if cpu.segments.cs.selector != rom::SEGMENT {
            let [ip, cs] = self.frame_at(&cpu, sp.wrapping_sub(FRAME))?;
            let same = u64::from(ip) == cpu.rip && cs == cpu.segments.cs.selector;
            return same.then_some(cpu);
        }
        let [ip, cs] = self.frame_at(&cpu, sp)?;
        cpu.rip = ip.into();
        cpu.segments.cs.selector = cs;
        cpu.segments.cs.base = u64::from(cs) << 4;
        let mask = cpu.stack_mask();
        *cpu.get_mut(Gpr::Rsp) = sp & !mask | sp.wrapping_add(FRAME) & mask;
        Some(cpu)
    }

    /// Whether the processor is at the instruction of `cpu`, or in the firmware's handler at `entry`, which consists of
    /// a trap, if anything, and an IRET.
    fn is_at_or_in(&self, cpu: &CpuState, entry: Option<u16>) -> bool {
        let Some(entry) = entry else { return false };
        let here = self.vcpu.cpu();
        let mut code = [0];
        let returns = self.read_linear(here.pc(), &mut code) == 1 && code == [IRET];
        let in_it = here.rip.checked_sub(entry.into());
        here.pc() == cpu.pc()
            || in_it.is_some_and(|at| at == 0 || at == rom::TRAP.len() as u64 && returns)
    }

    /// IP and CS of the frame at `sp`.
    fn frame_at(&self, cpu: &CpuState, sp: u64) -> Option<[u16; 2]> {
        let mut frame = [0; 4];
        let at = cpu.linear(SegmentName::Ss, sp & cpu.stack_mask());
        let read = self.read_linear(at, &mut frame);
        let [a, b, c, d] = frame;
        (read == frame.len()).then(|| [[a, b], [c, d]].map(u16::from_le_bytes))
    }
}

//! Which instruction is executed by what.

use iced_x86::{Code, CpuidFeature, EncodingKind, Instruction, Mnemonic, Register};

use super::execution::Execution;
use super::fault::{Fault, Trouble};
use super::loads::loads_segment_register;
use super::ordinary::{is_near_jump, is_ordinary};
use super::{Delivery, Environment, Event, Unsupported};
use crate::x86::registers::{RFLAGS_CF, RFLAGS_OF, RFLAGS_RF, RFLAGS_TF};
use crate::x86::{CpuState, Feature};

/// How an instruction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Completed {
        /// RFLAGS.TF was set when it began, or is set at the end of SYSCALL or SYSRET: a debug exception is due
        /// now ([`Event::debug_trap`], with BS in DR6).
        single_step: bool,
        /// It was an IRET, which ends the blocking of NMIs.
        unblocks_nmi: bool,
    },
    /// The processor is at the first instruction of the handler of this vector: by the instruction's own
    /// will, or because it raised an exception.
    Entered {
        /// The vector.
        vector: u8,
    },
    /// A triple fault. Nothing has changed.
    Shutdown,
}

/// What an instruction leaves to be done.
enum Done {
    /// Nothing: the next instruction follows.
    Next,
    /// The instruction pointer and the flags are set already.
    Transferred,
    /// An interrupt or exception of the instruction's own will.
    Event(Event),
}

/// Executes the instruction at CS:IP, whatever host would run it or not.
///
/// # Errors
/// What this module cannot do; nothing has changed then.
pub fn execute(cpu: &mut CpuState, env: &mut dyn Environment) -> Result<Outcome, Unsupported> {
    let mut execution = Execution::new(cpu, env);
    let mut unblocks_nmi = false;
    let done = execution.instruction(&mut unblocks_nmi);
    let event = match (done, execution.fault_in_new_task.take()) {
        (Ok(None), None) => {
            let deciding = if execution.is_fast_call { &execution.cpu } else { &*cpu };
            // Behind a switch of tasks the new one's first instruction comes first (SDM vol. 3B, 18.3.1.4).
            let single_step = deciding.rflags & RFLAGS_TF != 0 && !execution.switched_task;
            execution.commit(cpu);
            return Ok(Outcome::Completed { single_step, unblocks_nmi });
        }
        (Ok(None), Some(fault)) => execution.event(&fault),
        (Ok(Some(event)), _) => {
            execution.start_over(cpu);
            event
        }
        (Err(Trouble::Fault(fault)), _) => {
            execution.start_over(cpu);
            execution.event(&fault)
        }
        (Err(Trouble::Unsupported(unsupported)), _) => return Err(unsupported),
    };
    let delivery = execution.deliver(event, |_| ())?;
    Ok(match execution.end_delivery(cpu, Ok(delivery))? {
        Delivery::Entered { vector } => Outcome::Entered { vector },
        Delivery::Shutdown => Outcome::Shutdown,
    })
}

/// What the instruction at CS:IP raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// Nothing: it would be executed.
    Nothing,
    /// An exception.
    Fault(Fault),
    /// An interrupt or exception of its own will: INT n, INT3, INTO, INT1.
    Event(Event),
}

/// What the instruction at CS:IP raises, without doing it. `env` should drop what is written to it: accessed
/// and dirty bits.
///
/// # Errors
/// This module does not know the instruction.
pub fn raised(cpu: &CpuState, env: &mut dyn Environment) -> Result<Raised, Unsupported> {
    match Execution::new(cpu, env).instruction(&mut false) {
        Ok(None) => Ok(Raised::Nothing),
        Ok(Some(event)) => Ok(Raised::Event(event)),
        Err(Trouble::Fault(fault)) => Ok(Raised::Fault(fault)),
        Err(Trouble::Unsupported(unsupported)) => Err(unsupported),
    }
}

/// Whether the instruction at CS:IP would switch tasks. `env` should drop what is written to it.
#[must_use]
pub fn switches_task(cpu: &CpuState, env: &mut dyn Environment) -> bool {
    let mut execution = Execution::new(cpu, env);
    execution.instruction(&mut false).is_ok() && execution.switched_task
}

impl Execution<'_> {
    /// `fault` of the instruction at CS:IP, with the address of a page fault in CR2.
    fn event(&mut self, fault: &Fault) -> Event {
        if let Some(address) = fault.address {
            self.cpu.cr2 = address.0;
        }
        Event::fault(fault, self.cpu.rip)
    }

    /// Executes the instruction at CS:IP in the working copy, up to an event that it raises by its own
    /// will.
    fn instruction(&mut self, unblocks_nmi: &mut bool) -> Result<Option<Event>, Trouble> {
        let instruction = self.decode()?;
        let mut next = self.cpu.clone();
        next.advance(instruction.len() as u8);
        *unblocks_nmi = is_iret(&instruction);
        match self.dispatch(&instruction, next.rip)? {
            Done::Next => {
                self.cpu.rip = next.rip;
                self.cpu.rflags &= !RFLAGS_RF;
                Ok(None)
            }
            Done::Transferred => Ok(None),
            Done::Event(event) => Ok(Some(event)),
        }
    }

    fn dispatch(&mut self, instruction: &Instruction, next: u64) -> Result<Done, Trouble> {
        let vector_prefix = instruction.encoding() != EncodingKind::Legacy;
        if vector_prefix && self.cpu.mode().has_paragraph_segments() {
            return Err(Fault::UD.into());
        }
        if !self.is_offered(instruction) {
            return Err(Fault::UD.into());
        }
        match instruction.mnemonic() {
            Mnemonic::Int => {
                return Ok(Done::Event(Event::software(instruction.immediate8(), next)));
            }
            Mnemonic::Int3 => return Ok(Done::Event(Event::int3(next))),
            Mnemonic::Into if self.flag(RFLAGS_OF) => return Ok(Done::Event(Event::into(next))),
            Mnemonic::Into => {}
            Mnemonic::Int1 => return Ok(Done::Event(Event::int1(next))),
            Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq => {
                let size = match instruction.mnemonic() {
                    Mnemonic::Iret => 2,
                    Mnemonic::Iretd => 4,
                    _ => 8,
                };
                self.iret(size, next)?;
                return Ok(Done::Transferred);
            }
            Mnemonic::Retf => {
                let size = (instruction.stack_pointer_increment() as u64)
                    .saturating_sub(instruction.immediate16().into())
                    / 2;
                self.retf(size as u8, instruction.immediate16().into())?;
                self.cpu.rflags &= !RFLAGS_RF;
                return Ok(Done::Transferred);
            }
            _ if is_near_jump(instruction, self.cpu.mode()) => {
                self.jump_near(instruction, next)?;
                return Ok(Done::Transferred);
            }
            Mnemonic::Call | Mnemonic::Jmp => {
                self.far_transfer(instruction, next)?;
                if !self.switched_task {
                    self.cpu.rflags &= !RFLAGS_RF;
                }
                return Ok(Done::Transferred);
            }
            Mnemonic::Syscall => {
                self.syscall(next)?;
                self.is_fast_call = true;
                return Ok(Done::Transferred);
            }
            Mnemonic::Sysret | Mnemonic::Sysretq => {
                self.sysret(instruction.mnemonic() == Mnemonic::Sysretq)?;
                self.is_fast_call = true;
                return Ok(Done::Transferred);
            }
            Mnemonic::Sysenter => {
                self.sysenter()?;
                return Ok(Done::Transferred);
            }
            Mnemonic::Sysexit | Mnemonic::Sysexitq => {
                self.sysexit(instruction.mnemonic() == Mnemonic::Sysexitq)?;
                self.cpu.rflags &= !RFLAGS_RF;
                return Ok(Done::Transferred);
            }
            _ if loads_segment_register(instruction) => self.load_segment_register(instruction)?,
            Mnemonic::Lds | Mnemonic::Les | Mnemonic::Lfs | Mnemonic::Lgs | Mnemonic::Lss => {
                self.load_far_pointer(instruction)?;
            }
            Mnemonic::Lldt | Mnemonic::Ltr => self.load_system_segment(instruction)?,
            Mnemonic::Bound => self.bound(instruction)?,
            Mnemonic::Daa => self.daa(),
            Mnemonic::Das => self.das(),
            Mnemonic::Aad => self.ascii_adjust_before_division(instruction.immediate8()),
            Mnemonic::Aam => self.ascii_adjust_after_multiplication(instruction.immediate8())?,
            Mnemonic::Aaa => self.ascii_adjust(false),
            Mnemonic::Aas => self.ascii_adjust(true),
            Mnemonic::Pusha => self.push_all(2)?,
            Mnemonic::Pushad => self.push_all(4)?,
            Mnemonic::Enter => self.enter_frame(instruction)?,
            Mnemonic::Arpl => self.arpl(instruction)?,
            Mnemonic::Lar | Mnemonic::Lsl => self.load_rights_or_limit(instruction)?,
            Mnemonic::Verr => self.verify(instruction, false)?,
            Mnemonic::Verw => self.verify(instruction, true)?,
            Mnemonic::Xgetbv => self.xgetbv()?,
            Mnemonic::Rdtscp => self.rdtscp()?,
            Mnemonic::Popcnt => self.count_bits(instruction)?,
            Mnemonic::Movbe => self.movbe(instruction)?,
            Mnemonic::Crc32 => self.crc32(instruction)?,
            Mnemonic::Andn
            | Mnemonic::Bextr
            | Mnemonic::Blsi
            | Mnemonic::Blsmsk
            | Mnemonic::Blsr
            | Mnemonic::Bzhi
            | Mnemonic::Mulx
            | Mnemonic::Pdep
            | Mnemonic::Pext
            | Mnemonic::Rorx
            | Mnemonic::Sarx
            | Mnemonic::Shlx
            | Mnemonic::Shrx
                if !is_tbm(instruction) =>
            {
                self.vex_bits(instruction)?;
            }
            Mnemonic::Adcx => self.add_with(instruction, RFLAGS_CF)?,
            Mnemonic::Adox => self.add_with(instruction, RFLAGS_OF)?,
            Mnemonic::Cmpxchg16b => self.compare_exchange_16(instruction)?,
            Mnemonic::Rdrand | Mnemonic::Rdseed => self.random(instruction)?,
            Mnemonic::Monitor | Mnemonic::Mwait => self.monitor(instruction)?,
            Mnemonic::Clwb => self.write_back_line(instruction)?,
            // One processor that does one thing after the other needs no fence, and without CET nobody
            // looks for ENDBR.
            Mnemonic::Lfence
            | Mnemonic::Mfence
            | Mnemonic::Sfence
            | Mnemonic::Endbr32
            | Mnemonic::Endbr64
            // The hints 0F 18 to 0F 1F are no more than that (SDM vol. 2B, NOP).
            | Mnemonic::Nop
            | Mnemonic::Reservednop => {}
            Mnemonic::Wait => self.wait()?,
            Mnemonic::Clac => self.set_access_check(false)?,
            Mnemonic::Stac => self.set_access_check(true)?,
            _ if is_ordinary(instruction) => self.ordinary(instruction)?,
            _ if is_absent(instruction) => return Err(Fault::UD.into()),
            _ if is_not_integer(instruction) => return Err(self.not_integer(instruction)),
            _ => return Err(Unsupported::Unknown.into()),
        }
        Ok(Done::Next)
    }
}

impl Execution<'_> {
    /// Whether the guest's processor has the instruction, as far as CPUID decides that.
    fn is_offered(&self, instruction: &Instruction) -> bool {
        let features = self.env.features();
        let has = |feature| match feature {
            CpuidFeature::CMPXCHG16B => features.has(Feature::Cmpxchg16b),
            CpuidFeature::SSE4_2 => features.has(Feature::Sse42),
            CpuidFeature::MOVBE => features.has(Feature::Movbe),
            CpuidFeature::POPCNT => features.has(Feature::Popcnt),
            CpuidFeature::XSAVE => features.has(Feature::Xsave),
            CpuidFeature::RDRAND => features.has(Feature::Rdrand),
            CpuidFeature::BMI1 => features.has(Feature::Bmi1),
            CpuidFeature::BMI2 => features.has(Feature::Bmi2),
            CpuidFeature::RDSEED => features.has(Feature::Rdseed),
            CpuidFeature::ADX => features.has(Feature::Adx),
            CpuidFeature::SMAP => features.has(Feature::Smap),
            CpuidFeature::CLWB => features.has(Feature::Clwb),
            CpuidFeature::RDTSCP => features.has(Feature::Rdtscp),
            _ => true,
        };
        match instruction.code() {
            // BSF, then.
            Code::Tzcnt_r16_rm16 | Code::Tzcnt_r32_rm32 | Code::Tzcnt_r64_rm64 => true,
            // Only with memory; with a register AMD's processors do not know it, and Intel's do nothing.
            Code::Reservednop_rm16_r16_0F0D
            | Code::Reservednop_rm32_r32_0F0D
            | Code::Reservednop_rm64_r64_0F0D => features.is_intel(),
            _ => instruction.cpuid_features().iter().copied().all(has),
        }
    }
}

fn is_iret(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq)
}

/// AMD's immediate form of BEXTR, which is no BMI1.
fn is_tbm(instruction: &Instruction) -> bool {
    instruction.encoding() == EncodingKind::XOP
}

/// What raises #UD on a processor without virtualisation and with nothing that a software KVM does not
/// announce by CPUID.
fn is_absent(instruction: &Instruction) -> bool {
    let undefined = matches!(
        instruction.mnemonic(),
        Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2 | Mnemonic::INVALID
    );
    undefined || instruction.cpuid_features().iter().any(|feature| ABSENT.contains(feature))
}

const ABSENT: [CpuidFeature; 17] = [
    CpuidFeature::VMX,
    CpuidFeature::SVM,
    CpuidFeature::SMX,
    CpuidFeature::SKINIT,
    CpuidFeature::SEV_ES,
    CpuidFeature::SEV_SNP,
    CpuidFeature::INVPCID,
    CpuidFeature::PKU,
    CpuidFeature::MOVDIRI,
    CpuidFeature::MOVDIR64B,
    CpuidFeature::WAITPKG,
    CpuidFeature::TBM,
    CpuidFeature::XOP,
    CpuidFeature::FMA4,
    CpuidFeature::LWP,
    CpuidFeature::D3NOW,
    CpuidFeature::MONITORX,
];

/// x87, MMX, SSE, AVX and what saves their state.
fn is_not_integer(instruction: &Instruction) -> bool {
    let vector = |register: Register| {
        register.is_st()
            || register.is_mm()
            || register.is_vector_register()
            || register.is_k()
            || register.is_tmm()
    };
    let operands = (0..instruction.op_count()).any(|index| vector(instruction.op_register(index)));
    operands
        || instruction.is_save_restore_instruction()
        || instruction.encoding() != EncodingKind::Legacy
        || instruction.cpuid_features().iter().any(|feature| STATE.contains(feature))
}

const STATE: [CpuidFeature; 18] = [
    CpuidFeature::FPU,
    CpuidFeature::FPU287,
    CpuidFeature::FPU387,
    CpuidFeature::MMX,
    CpuidFeature::SSE,
    CpuidFeature::SSE2,
    CpuidFeature::SSE3,
    CpuidFeature::SSSE3,
    CpuidFeature::SSE4_1,
    CpuidFeature::SSE4_2,
    CpuidFeature::SSE4A,
    CpuidFeature::AES,
    CpuidFeature::PCLMULQDQ,
    CpuidFeature::SHA,
    CpuidFeature::GFNI,
    CpuidFeature::FXSR,
    CpuidFeature::XSAVE,
    CpuidFeature::XSAVEOPT,
];

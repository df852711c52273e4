//! The probe's guest: one tiny VM, its tables, and a few bytes of code run in the mode asked for.
//!
//! Everything lies in the first 64 KiB, identity-mapped where there is paging. The code ends with an OUT
//! to [`FINISHED`], every handler with one to [`HANDLED`].

use std::time::Duration;

use crate::kvm::deadline::work_time;
use crate::kvm::vcpu::Completion;
use crate::kvm::{Deadline, Exit, GuestDebug, KvmError, Vcpu, Vm};
use crate::memory::Ram;
use crate::x86::debug::{DEBUG_SLOTS, DebugSlot};
use crate::x86::registers::{
    CR0_PE, CR0_PG, CR4_PAE, CR4_PSE, EFER_LMA, EFER_LME, MSR_FMASK, MSR_LSTAR, MSR_STAR,
    RFLAGS_FIXED,
};
use crate::x86::{Access, CpuState, DescriptorTable, Gpr, Phys, Segment, SegmentName};

/// Where the code lies.
pub const CODE: u64 = 0x1000;
/// Where the handlers of all vectors lie.
pub const HANDLER: u64 = 0x600;
/// The stack's top.
pub const STACK: u64 = 0x9000;
/// Memory to access.
pub const DATA: u64 = 0xa000;
/// Memory that is not RAM.
pub const MMIO: u64 = 0xb_8000;
/// The port that ends the code.
pub const FINISHED: u8 = 0x10;
/// The port that ends a handler.
pub const HANDLED: u8 = 0x11;

const PML4: u64 = 0x2000;
const PDPT: u64 = 0x3000;
const DIRECTORY: u64 = 0x4000;
const DIRECTORY32: u64 = 0x5000;
/// Of PAE paging, whose entries have no rights.
const PDPT_PAE: u64 = 0x5c00;
const GDT: u64 = 0x6000;
const IDT32: u64 = 0x6800;
const IDT64: u64 = 0x7000;
/// Gates of 16 bits for protected mode.
pub const GATES16: u64 = 0x7400;
/// Gates for protected mode of which only those of #NP and #DF are present.
pub const ABSENT_GATES: u64 = 0x7600;
const TSS: u64 = 0x8000;
const RING0_STACK: u64 = 0x8800;

const CODE32: u16 = 0x08;
const DATA32: u16 = 0x10;
const CODE64: u16 = 0x18;
/// The data segment of ring 3.
pub const USER_DATA: u16 = 0x20 | 3;
/// The code segment of ring 3.
pub const USER_CODE64: u16 = 0x28 | 3;
/// Null, 32-bit code, data, 64-bit code, ring 3 data, ring 3 64-bit code.
const DESCRIPTORS: [u64; 6] = [
    0,
    0x00cf_9b00_0000_ffff,
    0x00cf_9300_0000_ffff,
    0x00af_9b00_0000_ffff,
    0x00cf_f300_0000_ffff,
    0x00af_fb00_0000_ffff,
];
/// Vectors that the tables hold.
const VECTORS: u64 = 0x30;
/// #DF, double fault.
const VECTOR_DF: u64 = 8;
/// #NP, segment not present.
const VECTOR_NP: u64 = 11;
/// In a gate: it is present.
const GATE_PRESENT: u64 = 1 << 47;
/// In a gate: it pushes doublewords.
const GATE_32_BIT: u64 = 1 << 43;
/// RFLAGS.IOPL = 3, so that ring 3 may use ports.
const RFLAGS_IOPL: u64 = 3 << 12;
/// Page-table entry: present, writable, for ring 3, large.
const LARGE_PAGE: u64 = 0b1000_0111;
/// Page-table entry: present.
const PRESENT: u64 = 1;
/// Page-table entry: present, writable, for ring 3.
const TABLE: u64 = 0b111;

/// The mode some code is to run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Real mode, all segments 0.
    Real,
    /// 32-bit protected mode, flat.
    Protected,
    /// Long mode, ring 0.
    Long,
    /// Long mode, ring 3.
    User,
}

/// How some code ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At its last instruction.
    Finished,
    /// In a handler.
    Handled,
    /// By a debug exit; the hit slots as DR6 has them.
    Debug {
        /// B0 to B3.
        slots: u8,
    },
    /// By another access to a port or to memory that is not RAM; it is not completed yet.
    Access,
    /// By HLT.
    Hlt,
    /// By a shutdown.
    Shutdown,
    /// KVM refuses the next instruction.
    Refused,
    /// Not at all.
    Endless,
    /// By something else.
    Other,
}

/// The guest.
#[derive(Debug)]
pub struct Guest {
    // Dropped before the VM it belongs to.
    vcpu: Vcpu,
    vm: Vm,
    reset: CpuState,
    deadline: Deadline,
    /// The processor has been through a shutdown.
    dead: bool,
    /// How long it had the processor last until it got to an end.
    visit: Duration,
}

/// How many times longer than an ordinary visit to the guest code may take that does not end.
const PATIENCE: u32 = 16;
/// The least that it may take.
const SHORTEST: Duration = Duration::from_micros(200);

/// How many stops before an instruction a step bears with.
pub const MAX_IDLE_STOPS: u32 = 3;

impl Guest {
    /// Makes the VM and its tables.
    pub fn new() -> Result<Guest, KvmError> {
        let ram = Ram::new(1 << 20).map_err(|error| KvmError::Probe(error.to_string()))?;
        let mut vm = Vm::new(ram)?;
        let vcpu = vm.create_vcpu()?;
        let reset = vcpu.cpu().clone();
        let guest = Guest {
            vcpu,
            vm,
            reset,
            deadline: Deadline::new()?,
            dead: false,
            visit: Duration::ZERO,
        };
        guest.write_tables();
        Ok(guest)
    }

    fn write_tables(&self) {
        for vector in 0..=0xff {
            self.write(vector * 4, &(HANDLER as u32).to_le_bytes());
        }
        for vector in 0..VECTORS {
            // Interrupt gates of 32 and of 64 bits, the same in their first eight bytes.
            let gate = |selector: u16| HANDLER | u64::from(selector) << 16 | 0x8e00 << 32;
            self.write(IDT32 + vector * 8, &gate(CODE32).to_le_bytes());
            self.write(IDT64 + vector * 16, &gate(CODE64).to_le_bytes());
            let gate16 = gate(CODE32) & !GATE_32_BIT;
            self.write(GATES16 + vector * 8, &gate16.to_le_bytes());
            let is_present = [VECTOR_NP, VECTOR_DF].contains(&vector);
            let present = if is_present { GATE_PRESENT } else { 0 };
            let absent = gate(CODE32) & !GATE_PRESENT | present;
            self.write(ABSENT_GATES + vector * 8, &absent.to_le_bytes());
        }
        self.write(HANDLER, &[0xe6, HANDLED]);
        for (descriptor, at) in DESCRIPTORS.into_iter().zip((GDT..).step_by(8)) {
            self.write(at, &descriptor.to_le_bytes());
        }
        self.write(PML4, &(PDPT | TABLE).to_le_bytes());
        self.write(PDPT, &(DIRECTORY | TABLE).to_le_bytes());
        self.write(DIRECTORY, &LARGE_PAGE.to_le_bytes());
        self.write(DIRECTORY32, &(LARGE_PAGE as u32).to_le_bytes());
        self.write(PDPT_PAE, &(DIRECTORY | PRESENT).to_le_bytes());
        // RSP0.
        self.write(TSS + 4, &RING0_STACK.to_le_bytes());
    }

    /// Writes memory.
    pub fn write(&self, addr: u64, data: &[u8]) {
        // All addresses are ours and in RAM.
        let _ = self.vm.ram().write(Phys(addr), data);
    }

    /// Makes the gate of `vector` in the table at `table`, of protected mode, one with this access byte that leads to the
    /// handler.
    pub fn replace_gate(&self, table: u64, vector: u8, access: u8) {
        let gate = HANDLER | u64::from(CODE32) << 16 | u64::from(access) << 40;
        self.write(table + u64::from(vector) * 8, &gate.to_le_bytes());
    }

    /// Two bytes of memory.
    pub fn read_word(&self, addr: u64) -> u16 {
        let mut word = [0; 2];
        let _ = self.vm.ram().read(Phys(addr), &mut word);
        u16::from_le_bytes(word)
    }

    /// Puts `code`, with an end behind it, at [`CODE`] and the processor there, in `mode`. RSP is [`STACK`],
    /// RDI [`DATA`], the other general registers are 0; `change` may alter them.
    pub fn load(
        &mut self,
        mode: Mode,
        code: &[u8],
        change: impl FnOnce(&mut CpuState),
    ) -> Result<(), KvmError> {
        self.write(CODE, &[code, &[0xe6, FINISHED]].concat());
        let mut cpu = state(&self.reset, mode);
        change(&mut cpu);
        if std::mem::take(&mut self.dead) { self.vcpu.reset(&cpu) } else { self.vcpu.set_cpu(&cpu) }
    }

    /// SYSCALL leads to `target`. Without its registers, which all KVMs have, it is #UD or does something else.
    pub fn lead_calls_to(&self, target: u64) {
        self.vcpu.set_msr(MSR_STAR, u64::from(CODE64) << 32);
        self.vcpu.set_msr(MSR_LSTAR, target);
        self.vcpu.set_msr(MSR_FMASK, 0);
    }

    /// The registers.
    pub fn cpu(&self) -> &CpuState {
        self.vcpu.cpu()
    }

    /// Changes the registers.
    pub fn change(&mut self, change: impl FnOnce(&mut CpuState)) -> Result<(), KvmError> {
        let mut cpu = self.vcpu.cpu().clone();
        change(&mut cpu);
        self.vcpu.set_cpu(&cpu)
    }

    /// Runs with nothing armed.
    pub fn run_free(&mut self) -> Result<End, KvmError> {
        self.vcpu.arm(GuestDebug::OFF)?;
        self.run_on()
    }

    /// Runs with `slot` in the first debug register, and with general detect.
    pub fn run_to(&mut self, slot: DebugSlot) -> Result<End, KvmError> {
        let mut slots = [None; DEBUG_SLOTS];
        slots[0] = Some(slot);
        self.vcpu.arm(GuestDebug { slots, general_detect: true, ..GuestDebug::OFF })?;
        self.run_on()
    }

    /// Runs with exits for INT3 asked for.
    pub fn run_to_int3(&mut self) -> Result<End, KvmError> {
        self.vcpu.arm_int3()?;
        self.run_on()
    }

    /// Makes one step.
    pub fn step(&mut self) -> Result<End, KvmError> {
        self.vcpu.arm(GuestDebug { single_step: true, ..GuestDebug::OFF })?;
        self.run_on()
    }

    /// Makes one step that gets somewhere: some processors stop before the instruction once more, with nothing
    /// done.
    pub fn step_on(&mut self) -> Result<End, KvmError> {
        let before = self.cpu().rip;
        for _ in 0..MAX_IDLE_STOPS {
            let end = self.step()?;
            if !matches!(end, End::Debug { .. }) || self.cpu().rip != before {
                return Ok(end);
            }
        }
        Ok(End::Endless)
    }

    /// Runs on with what is armed.
    pub fn run_on(&mut self) -> Result<End, KvmError> {
        let start = work_time();
        let mut exit = self.vcpu.run()?;
        // A signal for somebody else on this thread.
        while exit == Exit::Interrupted {
            exit = self.vcpu.run()?;
        }
        self.visit = work_time().saturating_sub(start);
        self.end(exit)
    }

    /// Runs with nothing armed, and notices if it never ends.
    pub fn run_guarded(&mut self) -> Result<End, KvmError> {
        self.vcpu.arm(GuestDebug::OFF)?;
        let period = (self.visit * PATIENCE).max(SHORTEST);
        self.deadline.start(period);
        // Work at one and the same instruction. A signal alone says nothing of it: it may be for somebody else on this
        // thread, or have come while other threads had the processor, which they may have most of the time.
        let mut spent = Duration::ZERO;
        let exit = loop {
            let (before, start) = (self.vcpu.cpu().rip, work_time());
            match self.vcpu.run() {
                Ok(Exit::Interrupted) => {}
                exit => break exit,
            }
            if self.vcpu.cpu().rip != before {
                spent = Duration::ZERO;
            }
            spent += work_time().saturating_sub(start);
            // More than until the first signal.
            if spent >= period * 3 / 2 {
                break Ok(Exit::Interrupted);
            }
        };
        self.deadline.stop();
        let exit = exit?;
        self.end(exit)
    }

    /// Lets the access that [`End::Access`] stood for finish; says whether that ended in a debug exit.
    pub fn complete(&mut self) -> Result<bool, KvmError> {
        Ok(matches!(self.vcpu.complete()?, Completion::Exit(Exit::Debug { .. })))
    }

    fn end(&mut self, exit: Exit) -> Result<End, KvmError> {
        Ok(match exit {
            Exit::PortWrite(access) if [FINISHED.into(), HANDLED.into()].contains(&access.port) => {
                // Else it would be finished in the state of the next run.
                self.vcpu.complete()?;
                if access.port == u16::from(FINISHED) { End::Finished } else { End::Handled }
            }
            exit if exit.is_access() => End::Access,
            Exit::Debug { dr6 } => End::Debug { slots: (dr6 & 0xf) as u8 },
            Exit::Hlt => End::Hlt,
            Exit::Shutdown => {
                self.dead = true;
                End::Shutdown
            }
            Exit::InternalError { suberror: 1 } => End::Refused,
            Exit::Interrupted => End::Endless,
            _ => End::Other,
        })
    }
}

/// The processor in `mode`, about to run what is at [`CODE`].
fn state(reset: &CpuState, mode: Mode) -> CpuState {
    let mut cpu = CpuState { gpr: [0; 16], rip: CODE, rflags: RFLAGS_FIXED, ..reset.clone() };
    *cpu.get_mut(Gpr::Rsp) = STACK;
    *cpu.get_mut(Gpr::Rdi) = DATA;
    let (code, data) = match mode {
        Mode::Real => {
            cpu.idtr = DescriptorTable { base: 0, limit: 0x3ff };
            for name in SegmentName::ALL {
                *cpu.segments.get_mut(name) = Segment::paragraph(0, Access::DATA16);
            }
            cpu.segments.cs = Segment::paragraph(0, Access::CODE16);
            return cpu;
        }
        Mode::Protected => (CODE32, DATA32),
        Mode::Long => (CODE64, DATA32),
        Mode::User => (USER_CODE64, USER_DATA),
    };
    let segment =
        |selector: u16| Segment::from_descriptor(selector, DESCRIPTORS[usize::from(selector >> 3)]);
    for name in SegmentName::ALL {
        *cpu.segments.get_mut(name) = segment(data);
    }
    cpu.segments.cs = segment(code);
    cpu.cr0 |= CR0_PE;
    cpu.gdtr = DescriptorTable { base: GDT, limit: (DESCRIPTORS.len() * 8 - 1) as u16 };
    cpu.idtr = DescriptorTable { base: IDT32, limit: (VECTORS * 8 - 1) as u16 };
    if mode != Mode::Protected {
        cpu.cr0 |= CR0_PG;
        cpu.cr3 = PML4;
        cpu.cr4 |= CR4_PAE;
        cpu.efer |= EFER_LME | EFER_LMA;
        cpu.idtr = DescriptorTable { base: IDT64, limit: (VECTORS * 16 - 1) as u16 };
        cpu.tr.base = TSS;
        cpu.tr.limit = 0x67;
    }
    if mode == Mode::User {
        cpu.rflags |= RFLAGS_IOPL;
    }
    cpu
}

/// What `MOV CR0, EAX` needs to switch 32-bit paging on: CR0, CR3 and CR4.
pub fn paging32(cpu: &mut CpuState) {
    *cpu.get_mut(Gpr::Rax) = cpu.cr0 | CR0_PG;
    cpu.cr3 = DIRECTORY32;
    cpu.cr4 |= CR4_PSE;
}

/// The same for PAE paging.
pub fn paging_pae(cpu: &mut CpuState) {
    paging32(cpu);
    cpu.cr3 = PDPT_PAE;
    cpu.cr4 |= CR4_PAE;
}

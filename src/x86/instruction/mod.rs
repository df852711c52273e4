//! What an exact single step has to know about the instruction at CS:IP before it runs.
//!
//! A processor's trap flag steps most instructions faithfully. The ones it does not, because they halt,
//! repeat, leave for a device, read the flag or hold back the trap, are told apart here; those that may
//! leave the flag other than they found it are one kind, [`Kind::Special`], and all the rest is plain
//! (SDM vol. 3B, 18.3.1.4 and vol. 2). Knows encodings, not what the instruction does to the machine.

use iced_x86::{
    Code, CpuidFeature, Decoder, DecoderOptions, FlowControl, Mnemonic, OpKind, Register,
};

use super::CpuMode;

#[cfg(test)]
mod tests;

/// Longest instruction (SDM vol. 2A, 2.3.11).
pub const MAX_LEN: usize = 15;

/// An instruction as the step engine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Bytes of the encoding, prefixes included.
    pub len: u8,
    /// What is special about it.
    pub kind: Kind,
    /// Control can go elsewhere than to the next instruction without a fault.
    pub branches: bool,
    /// It reads or writes memory, the stack included.
    pub memory: bool,
    /// Which exceptions it is likelier to raise than others are.
    pub hazard: Hazard,
}

impl Facts {
    /// It goes to another code segment, as far CALL, JMP and RET do.
    #[must_use]
    pub fn is_far(&self) -> bool {
        self.branches && self.hazard == Hazard::LoadSegment
    }

    /// It accesses no memory, and nothing about it is special.
    #[must_use]
    pub fn stays_in_registers(&self) -> bool {
        self.kind == Kind::Other && !self.memory && self.hazard == Hazard::None
    }

    /// It may push several things one by one: far CALL and PUSHA. Not those that are done by hand anyway.
    #[must_use]
    pub fn pushes_in_pieces(&self) -> bool {
        self.kind == Kind::PushAll || self.kind == Kind::Other && self.is_far()
    }
}

/// What may go wrong in an instruction, beyond what may in any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hazard {
    /// Nothing: #UD, #GP, and the faults of memory operands.
    #[default]
    None,
    /// It is there to raise #UD.
    Undefined,
    /// It divides: #DE.
    Divide,
    /// It loads a segment register: #NP, #SS, and #TS if it branches.
    LoadSegment,
    /// It uses x87 or MMX: #NM, #MF.
    X87,
    /// It uses SSE or AVX, or saves or loads their state: #NM, #XM.
    Simd,
}

/// What is special about an instruction. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: a trap-flag step is exact, unless a memory operand belongs to a device. Unless it branches,
    /// it leaves the trap flag as it is.
    Other,
    /// HLT.
    Hlt,
    /// IN.
    In {
        /// Width of the transfer: 1, 2 or 4.
        size: u8,
        /// Where the port number is.
        port: Port,
    },
    /// OUT.
    Out {
        /// Width of the transfer: 1, 2 or 4.
        size: u8,
        /// Where the port number is.
        port: Port,
    },
    /// INS or OUTS without a repeat prefix.
    StringIo(StringIo),
    /// Any string instruction with a repeat prefix: one instruction to a debugger, many steps or one
    /// to a processor.
    Rep(Rep),
    /// INT n.
    Int(u8),
    /// INT3, the one-byte form.
    Int3,
    /// INTO.
    Into,
    /// INT1, also called ICEBP.
    Int1,
    /// IRET of any operand size.
    Iret,
    /// PUSHA.
    PushAll,
    /// POPF of this operand size: 2, 4 or 8.
    Popf(u8),
    /// MOV to or from a debug register.
    DebugRegister,
    /// PUSHF of this operand size: 2, 4 or 8.
    Pushf(u8),
    /// MOV SS or POP SS, which hold back traps and interrupts for one instruction (SDM vol. 3A, 6.8.3).
    LoadSs,
    /// SYSCALL or SYSRET. The single-step trap after one depends on the flags that it loads.
    FastCall,
    /// VMCALL or VMMCALL.
    Hypercall,
    /// BOUND, fences, ENDBR and other hints, RDRAND or RDSEED: some KVMs let one of them go on to the next
    /// instruction without the trap, others the handler that BOUND leads to. AAD and AAM: some KVMs
    /// set SF and ZF for EAX in place of AL. ENTER: some push EBP in the stack's width.
    Untrapped,
    /// MOVBE, which some KVMs have at hand and yet make #UD of.
    Movbe,
    /// Changes what interrupts or traps the processor, or is left to KVM on hardware: STI, CLI, LSS, moves to
    /// control registers, LMSW, CLTS, WRMSR, RDMSR, CPUID, INVLPG and the like. The trap flag steps it, but may
    /// not outlive it.
    Special,
}

/// Where IN and OUT take their port from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// A byte of the instruction.
    Immediate(u8),
    /// DX.
    Dx,
}

/// A transfer between memory and the port in DX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringIo {
    /// INS, not OUTS.
    pub input: bool,
    /// Width of one transfer: 1, 2 or 4.
    pub size: u8,
}

/// How a string instruction repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rep {
    /// Width of the counter, CX, ECX or RCX: 2, 4 or 8.
    pub address_size: u8,
    /// What else ends it than the counter.
    pub stops_on: StopsOn,
    /// The port transfer it repeats, if it does.
    pub io: Option<StringIo>,
}

/// What ends a repeated string instruction besides a counter of zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopsOn {
    /// Nothing: MOVS, LODS, STOS, INS, OUTS.
    None,
    /// A comparison that leaves ZF = 0: REPE CMPS, REPE SCAS.
    ZeroClear,
    /// A comparison that leaves ZF = 1: REPNE CMPS, REPNE SCAS.
    ZeroSet,
}

/// The facts about the instruction that `bytes` begins with, or nothing if the bytes are too few or no
/// instruction in `mode`.
#[must_use]
pub fn decode(bytes: &[u8], mode: CpuMode) -> Option<Facts> {
    let mut decoder = Decoder::new(mode.code_bits(), bytes, DecoderOptions::NONE);
    if !decoder.can_decode() {
        return None;
    }
    let instruction = decoder.decode();
    if instruction.is_invalid() {
        return None;
    }
    // Fits: an instruction is at most 15 bytes long.
    Some(Facts {
        len: instruction.len() as u8,
        kind: Kind::of(&instruction),
        branches: instruction.flow_control() != FlowControl::Next,
        memory: uses_memory(&instruction),
        hazard: Hazard::of(&instruction),
    })
}

fn uses_memory(instruction: &iced_x86::Instruction) -> bool {
    let is_register_or_number = |kind| {
        use OpKind as K;
        matches!(
            kind,
            K::Register
                | K::NearBranch16
                | K::NearBranch32
                | K::NearBranch64
                | K::FarBranch16
                | K::FarBranch32
                | K::Immediate8
                | K::Immediate8_2nd
                | K::Immediate16
                | K::Immediate32
                | K::Immediate64
                | K::Immediate8to16
                | K::Immediate8to32
                | K::Immediate8to64
                | K::Immediate32to64
        )
    };
    instruction.is_stack_instruction()
        || instruction.op_kinds().any(|kind| !is_register_or_number(kind))
}

/// Whether the instruction at `ip`, `bytes`, is a jump to itself, as `jmp $` is.
#[must_use]
pub fn jumps_to_itself(bytes: &[u8], mode: CpuMode, ip: u64) -> bool {
    let mut decoder = Decoder::with_ip(mode.code_bits(), bytes, ip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    let jumps = instruction.is_jmp_short() || instruction.is_jmp_near();
    jumps && instruction.near_branch_target() == ip
}

/// Whether `bytes` begin with `xchg bx, bx`, of whatever width: the magic breakpoint of Bochs.
#[must_use]
pub fn is_xchg_bx(bytes: &[u8], mode: CpuMode) -> bool {
    let mut decoder = Decoder::new(mode.code_bits(), bytes, DecoderOptions::NONE);
    if !decoder.can_decode() {
        return false;
    }
    let instruction = decoder.decode();
    instruction.mnemonic() == Mnemonic::Xchg
        && instruction.op0_register().full_register() == Register::RBX
        && instruction.op0_register() == instruction.op1_register()
        && instruction.op0_register().size() > 1
}

/// The length of the load of SS that `bytes` ends with, in whatever mode it is one; nothing if none does.
#[must_use]
pub fn load_of_ss_at_end(bytes: &[u8]) -> Option<usize> {
    (1..=bytes.len()).find(|&len| {
        let bytes = &bytes[bytes.len() - len..];
        [CpuMode::Real, CpuMode::Protected32, CpuMode::Long64].into_iter().any(|mode| {
            decode(bytes, mode)
                .is_some_and(|facts| facts.kind == Kind::LoadSs && usize::from(facts.len) == len)
        })
    })
}

impl Kind {
    /// Width in bytes of the port accesses the instruction makes, if it makes any.
    #[must_use]
    pub fn port_width(self) -> Option<u8> {
        match self {
            Kind::In { size, .. }
            | Kind::Out { size, .. }
            | Kind::StringIo(StringIo { size, .. })
            | Kind::Rep(Rep { io: Some(StringIo { size, .. }), .. }) => Some(size),
            _ => None,
        }
    }

    fn of(instruction: &iced_x86::Instruction) -> Kind {
        let width = |register: Register| register.size() as u8;
        if instruction.is_string_instruction() {
            return Kind::of_string(instruction);
        }
        match instruction.mnemonic() {
            Mnemonic::Hlt => Kind::Hlt,
            Mnemonic::Movbe => Kind::Movbe,
            Mnemonic::Bound
            | Mnemonic::Lfence
            | Mnemonic::Mfence
            | Mnemonic::Sfence
            | Mnemonic::Endbr32
            | Mnemonic::Endbr64
            | Mnemonic::Reservednop
            | Mnemonic::Aad
            | Mnemonic::Aam
            | Mnemonic::Enter
            | Mnemonic::Rdrand
            | Mnemonic::Rdseed => Kind::Untrapped,
            Mnemonic::In => Kind::In {
                size: width(instruction.op0_register()),
                port: Port::of(instruction, instruction.op1_kind()),
            },
            Mnemonic::Out => Kind::Out {
                size: width(instruction.op1_register()),
                port: Port::of(instruction, instruction.op0_kind()),
            },
            Mnemonic::Int => Kind::Int(instruction.immediate8()),
            Mnemonic::Int3 => Kind::Int3,
            Mnemonic::Into => Kind::Into,
            Mnemonic::Pusha | Mnemonic::Pushad => Kind::PushAll,
            Mnemonic::Pushf => Kind::Pushf(2),
            Mnemonic::Pushfd => Kind::Pushf(4),
            Mnemonic::Pushfq => Kind::Pushf(8),
            Mnemonic::Pop if instruction.op0_register() == Register::SS => Kind::LoadSs,
            Mnemonic::Mov => Kind::of_move(instruction),
            Mnemonic::Int1 => Kind::Int1,
            Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq => Kind::Iret,
            Mnemonic::Popf => Kind::Popf(2),
            Mnemonic::Popfd => Kind::Popf(4),
            Mnemonic::Popfq => Kind::Popf(8),
            Mnemonic::Syscall | Mnemonic::Sysret | Mnemonic::Sysretq => Kind::FastCall,
            Mnemonic::Vmcall | Mnemonic::Vmmcall => Kind::Hypercall,
            Mnemonic::Sti
            | Mnemonic::Cli
            | Mnemonic::Lss
            | Mnemonic::Lmsw
            | Mnemonic::Clts
            | Mnemonic::Wrmsr
            | Mnemonic::Rdmsr
            | Mnemonic::Cpuid
            | Mnemonic::Invlpg
            | Mnemonic::Invd
            | Mnemonic::Wbinvd
            | Mnemonic::Xsetbv
            | Mnemonic::Pause
            | Mnemonic::Rdpmc => Kind::Special,
            _ => Kind::Other,
        }
    }

    fn of_move(instruction: &iced_x86::Instruction) -> Kind {
        match instruction.code() {
            Code::Mov_dr_r32 | Code::Mov_dr_r64 | Code::Mov_r32_dr | Code::Mov_r64_dr => {
                Kind::DebugRegister
            }
            Code::Mov_cr_r32 | Code::Mov_cr_r64 | Code::Mov_r32_cr | Code::Mov_r64_cr => {
                Kind::Special
            }
            _ if instruction.op0_kind() == OpKind::Register
                && instruction.op0_register() == Register::SS =>
            {
                Kind::LoadSs
            }
            _ => Kind::Other,
        }
    }

    fn of_string(instruction: &iced_x86::Instruction) -> Kind {
        let io = match instruction.mnemonic() {
            Mnemonic::Insb => Some(StringIo { input: true, size: 1 }),
            Mnemonic::Insw => Some(StringIo { input: true, size: 2 }),
            Mnemonic::Insd => Some(StringIo { input: true, size: 4 }),
            Mnemonic::Outsb => Some(StringIo { input: false, size: 1 }),
            Mnemonic::Outsw => Some(StringIo { input: false, size: 2 }),
            Mnemonic::Outsd => Some(StringIo { input: false, size: 4 }),
            _ => None,
        };
        let repne = instruction.has_repne_prefix();
        if !repne && !instruction.has_rep_prefix() {
            return io.map_or(Kind::Other, Kind::StringIo);
        }
        let compares = matches!(
            instruction.mnemonic(),
            Mnemonic::Cmpsb
                | Mnemonic::Cmpsw
                | Mnemonic::Cmpsd
                | Mnemonic::Cmpsq
                | Mnemonic::Scasb
                | Mnemonic::Scasw
                | Mnemonic::Scasd
                | Mnemonic::Scasq
        );
        let stops_on = match (compares, repne) {
            (false, _) => StopsOn::None,
            (true, false) => StopsOn::ZeroClear,
            (true, true) => StopsOn::ZeroSet,
        };
        Kind::Rep(Rep { address_size: string_address_size(instruction), stops_on, io })
    }
}

impl Hazard {
    fn of(instruction: &iced_x86::Instruction) -> Hazard {
        let loads_segment = instruction.op0_kind() == OpKind::Register
            && instruction.op0_register().is_segment_register();
        match instruction.mnemonic() {
            Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2 => Hazard::Undefined,
            Mnemonic::Div | Mnemonic::Idiv | Mnemonic::Aam => Hazard::Divide,
            Mnemonic::Mov | Mnemonic::Pop if loads_segment => Hazard::LoadSegment,
            Mnemonic::Lds
            | Mnemonic::Les
            | Mnemonic::Lfs
            | Mnemonic::Lgs
            | Mnemonic::Lss
            | Mnemonic::Lldt
            | Mnemonic::Ltr
            | Mnemonic::Retf => Hazard::LoadSegment,
            Mnemonic::Call | Mnemonic::Jmp if is_far(instruction) => Hazard::LoadSegment,
            Mnemonic::Wait => Hazard::X87,
            _ => Hazard::of_features(instruction),
        }
    }

    fn of_features(instruction: &iced_x86::Instruction) -> Hazard {
        use CpuidFeature as F;
        let is = |of: fn(&F) -> bool| instruction.cpuid_features().iter().any(of);
        let vectors = (0..instruction.op_count()).any(|operand| {
            let register = instruction.op_register(operand);
            register.is_vector_register() || register.is_mm()
        });
        if is(|feature| matches!(feature, F::FPU | F::FPU287 | F::FPU387 | F::MMX)) {
            Hazard::X87
        } else if vectors
            || instruction.is_save_restore_instruction()
            || is(|feature| matches!(feature, F::SSE | F::SSE2 | F::SSE3 | F::AVX))
        {
            Hazard::Simd
        } else {
            Hazard::None
        }
    }
}

fn is_far(instruction: &iced_x86::Instruction) -> bool {
    instruction.is_jmp_far()
        || instruction.is_call_far()
        || instruction.is_jmp_far_indirect()
        || instruction.is_call_far_indirect()
}

impl Port {
    fn of(instruction: &iced_x86::Instruction, operand: OpKind) -> Port {
        match operand {
            OpKind::Immediate8 => Port::Immediate(instruction.immediate8()),
            _ => Port::Dx,
        }
    }
}

/// The address size shows in which of SI, ESI, RSI or DI, EDI, RDI an operand goes through.
fn string_address_size(instruction: &iced_x86::Instruction) -> u8 {
    instruction
        .op_kinds()
        .find_map(|operand| match operand {
            OpKind::MemorySegSI | OpKind::MemoryESDI => Some(2),
            OpKind::MemorySegESI | OpKind::MemoryESEDI => Some(4),
            OpKind::MemorySegRSI | OpKind::MemoryESRDI => Some(8),
            _ => None,
        })
        .unwrap_or(2)
}

//! What is not compared, and why: instructions that are stepped over on both sides, and flags that the manual
//! leaves undefined.

use iced_x86::{
    Code, CpuidFeature, FlowControl, Instruction, InstructionInfoFactory, MemorySize, Mnemonic,
    OpKind, RflagsBits,
};
use stepvisor::x86::registers::{
    RFLAGS_AF, RFLAGS_CF, RFLAGS_OF, RFLAGS_PF, RFLAGS_SF, RFLAGS_TF, RFLAGS_ZF,
};
use stepvisor::x86::{CpuMode, CpuState, Gpr, Linear, SegmentName};

use super::lockstep::RAM;
use super::reach::{
    LIMIT, OUTSIDE, memory, repetition, segment_name, stack_is_good, value, writes_to,
};

/// Why an instruction is not given to both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is passed by; the reason.
    LeftOut(&'static str),
    /// Its memory operand, with a better base register it could be given.
    Operand,
    /// Its stack pointer, as above.
    Stack,
    /// Its segment, in real mode, as above.
    Segment(SegmentName),
    /// Its counter, with a smaller one it could be given.
    Counter(u8),
}

const SYSTEM: &str = "it reads or changes state that QEMU's stub cannot set, or waits: tests/exact, \
     tests/step and tests/sweep have it";
const VECTORS: &str = "x87, MMX, SSE and AVX are not completed where KVM refuses them, and the registers \
     are not compared";
const VARIES: &str = "it reads a clock, chance or what differs between processors";
const PORTS: &str = "the devices differ: tests/exact and tests/step have it";
const TRAP_FLAG: &str = "it sets TF, NT, VM or RF: tests/exact has it";
const LENIENT: &str = "QEMU executes it, to the manual it is invalid (LOCK where it may not be, 8F, C6 and C7 \
     with another register than 0)";
const PUSH_SELECTOR: &str = "the manual lets it write the upper half of the stack slot or not";
const UNDEFINED: &str = "the manual leaves its result undefined";
const RET: &str = "QEMU takes the number of bytes for a signed one";
const TEST: &str = "QEMU takes F6 and F7 /1 for invalid; processors take them for TEST";
const REX: &str = "QEMU heeds a REX prefix that another prefix follows";
const CANONICAL: &str = "QEMU jumps to what is no canonical address, and faults there";
const BIT_COUNT: &str = "KVM's processor may lack LZCNT and TZCNT, which are BSR and BSF then";
const FAR_POINTER: &str = "AMD's processors read an offset of 32 bits, Intel's one of 64";
const REX_SELECTOR: &str = "KVM's instruction emulator heeds REX.R for segment registers";
const OPERAND_FIRST: &str = "QEMU reads the operand before it finds the instruction invalid";
const STORE: &str = "KVM's instruction emulator stores a selector in 8 bytes under REX.W, not in 2";
const ENTER: &str = "implementations differ in the upper half of EBP where the stack is not as wide as the \
     operand";
const BRANCH: &str = "AMD's processors cut near branches to 16 bits under 66, Intel's ignore it";
const EXCHANGE: &str = "implementations differ in whether the upper half of a 32-bit register is cleared that \
     CMPXCHG leaves alone";
const SCAN: &str =
    "implementations differ in whether BSF and BSR of 0 clear the upper half of a 32-bit register";
const RIP_RELATIVE: &str =
    "QEMU leaves the count out of the length from which SHLD and SHRD reckon an address";
const OUTER_FRAMES: &str =
    "implementations differ in what ENTER has pushed when it cannot read the frames around it";
const PREFIX: &str = "QEMU ignores a prefix that 0F AE may not have";
const HINT: &str = "QEMU takes 0F 18 with registers for invalid, to the manual a hint that does nothing; of 0F 0D \
     processors differ";
const NULL_STACK: &str =
    "QEMU cuts the stack pointer of 64-bit code to 16 bits in these far transfers where SS is null";
const PAUSE: &str = "QEMU steps over the next instruction as well";

/// What speaks against giving `instruction`, the next one of `cpu`, to both sides. `read` reads memory.
pub fn obstacle(
    cpu: &CpuState,
    instruction: &Instruction,
    tables: &[std::ops::Range<u64>],
    bytes: &[u8],
    read: &dyn Fn(Linear, &mut [u8]) -> usize,
) -> Option<Obstacle> {
    if !stack_is_good(cpu, tables) {
        let real = cpu.mode() == CpuMode::Real;
        let far = cpu.segments.ss.base > RAM as u64 - 0x2_0000;
        return Some(if real && far {
            Obstacle::Segment(SegmentName::Ss)
        } else {
            Obstacle::Stack
        });
    }
    if instruction.is_invalid() {
        let reason = match opcode(cpu.mode(), bytes) {
            _ if is_locked(cpu.mode(), bytes) => LENIENT,
            Some(0xc6 | 0xc7 | 0x8f) => LENIENT,
            Some(0xfe | 0xff) if cpu.mode() == CpuMode::Long64 => OPERAND_FIRST,
            Some(0x0f) if has_bad_prefix(cpu.mode(), bytes) => PREFIX,
            Some(0x0f)
                if cpu.mode() == CpuMode::Long64
                    && matches!(
                        bytes.get(prefixes(cpu.mode(), bytes).len() + 1),
                        Some(0x00 | 0x01 | 0xae | 0xb8 | 0xba | 0xc7)
                    ) =>
            {
                OPERAND_FIRST
            }
            Some(0x0f) if is_vector(prefixes(cpu.mode(), bytes).len(), bytes) => VECTORS,
            _ => return None,
        };
        return Some(Obstacle::LeftOut(reason));
    }
    if let Some(reason) = ambiguous(cpu, instruction, bytes, read) {
        return Some(Obstacle::LeftOut(reason));
    }
    if let Some(reason) = by_kind(cpu, instruction) {
        return Some(Obstacle::LeftOut(reason));
    }
    if loads_bad_flags(cpu, instruction, read) {
        return Some(Obstacle::LeftOut(TRAP_FLAG));
    }
    let repeats = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    if repeats && let Some(obstacle) = repetition(cpu, instruction) {
        return Some(obstacle);
    }
    memory(cpu, instruction, tables)
}

fn is_prefix(mode: CpuMode, byte: u8) -> bool {
    matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3)
        || is_rex(mode, byte)
}

fn is_rex(mode: CpuMode, byte: u8) -> bool {
    mode == CpuMode::Long64 && matches!(byte, 0x40..=0x4f)
}

fn prefixes(mode: CpuMode, bytes: &[u8]) -> &[u8] {
    let count = bytes.iter().take_while(|byte| is_prefix(mode, **byte)).count();
    &bytes[..count]
}

fn is_locked(mode: CpuMode, bytes: &[u8]) -> bool {
    prefixes(mode, bytes).contains(&0xf0)
}

/// Whether it is 0F AE with a prefix that makes it another opcode, or none.
fn has_bad_prefix(mode: CpuMode, bytes: &[u8]) -> bool {
    let prefixes = prefixes(mode, bytes);
    bytes.get(prefixes.len() + 1) == Some(&0xae)
        && prefixes.iter().any(|byte| matches!(byte, 0x66 | 0xf2 | 0xf3))
}

/// Whether the opcode after so many prefixes is in the rows of MMX and SSE.
fn is_vector(prefixes: usize, bytes: &[u8]) -> bool {
    let second = bytes.get(prefixes + 1);
    matches!(
        second,
        Some(
            0x0e
            | 0x0f
            | 0x10..=0x17
            | 0x28..=0x2f
            | 0x38
            | 0x3a
            | 0x50..=0x7f
            | 0xc2..=0xc6
            | 0xd0..=0xfe,
        )
    )
}

/// The first byte that is no prefix.
fn opcode(mode: CpuMode, bytes: &[u8]) -> Option<u8> {
    bytes.get(prefixes(mode, bytes).len()).copied()
}

/// Where a near branch that takes its target from a register or from memory leads.
fn indirect_target(
    cpu: &CpuState,
    instruction: &Instruction,
    read: &dyn Fn(Linear, &mut [u8]) -> usize,
) -> Option<u64> {
    if instruction.op0_kind() == OpKind::Register && !is_return(instruction) {
        return value(cpu, instruction.op0_register());
    }
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let used = info.used_memory().iter().find(|used| !writes_to(used))?;
    let at = used.virtual_address(0, |register, _, _| {
        if register.is_segment_register() {
            Some(cpu.segments.get(segment_name(register)).base)
        } else {
            value(cpu, register)
        }
    })?;
    let mut bytes = [0; 8];
    (read(Linear(at), &mut bytes) == 8).then(|| u64::from_le_bytes(bytes))
}

fn is_return(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Ret | Mnemonic::Retf)
}

/// Instructions of which the manual, or QEMU's stub, lets more than one thing come.
fn ambiguous(
    cpu: &CpuState,
    instruction: &Instruction,
    bytes: &[u8],
    read: &dyn Fn(Linear, &mut [u8]) -> usize,
) -> Option<&'static str> {
    let size = instruction.op0_register().size();
    let prefixes = prefixes(cpu.mode(), bytes);
    let rex = prefixes.iter().position(|byte| is_rex(cpu.mode(), *byte));
    if rex.is_some_and(|at| at + 1 < prefixes.len()) {
        return Some(REX);
    }
    let long = cpu.mode() == CpuMode::Long64;
    let indirect = matches!(
        instruction.flow_control(),
        FlowControl::IndirectBranch | FlowControl::IndirectCall | FlowControl::Return
    );
    let branches =
        !matches!(instruction.flow_control(), FlowControl::Next | FlowControl::Interrupt);
    if long && branches && prefixes.contains(&0x66) {
        return Some(BRANCH);
    }
    if long
        && indirect
        && let Some(target) = indirect_target(cpu, instruction, read)
        && (target as i64) << 16 >> 16 != target as i64
    {
        return Some(CANONICAL);
    }
    let narrow_far = matches!(
        instruction.code(),
        Code::Retfw
            | Code::Retfw_imm16
            | Code::Retfd
            | Code::Retfd_imm16
            | Code::Iretw
            | Code::Iretd
            | Code::Call_m1616
            | Code::Call_m1632
    );
    if long && narrow_far && cpu.segments.ss.selector & !3 == 0 {
        return Some(NULL_STACK);
    }
    match instruction.mnemonic() {
        Mnemonic::Pause => Some(PAUSE),
        Mnemonic::Reservednop if matches!(bytes.get(prefixes.len() + 1), Some(0x0d | 0x18)) => {
            Some(HINT)
        }
        Mnemonic::Enter => {
            let width = match instruction.code() {
                Code::Enterw_imm16_imm8 => 0xffff,
                Code::Enterd_imm16_imm8 => 0xffff_ffff,
                _ => u64::MAX,
            };
            let room = u64::from(instruction.immediate16()) + 0x200;
            let top = cpu.get(Gpr::Rsp).wrapping_sub(room);
            if cpu.mode() != CpuMode::Real && !(0xd000..RAM as u64).contains(&top) {
                return Some(OUTSIDE);
            }
            let outer = cpu.get(Gpr::Rbp) & cpu.stack_mask();
            if width != cpu.stack_mask() {
                Some(ENTER)
            } else if instruction.immediate8_2nd() & 0x1f > 1 && !(0x200..0x9_0000).contains(&outer)
            {
                Some(OUTSIDE)
            } else {
                let frames = 8 * usize::from(instruction.immediate8_2nd() & 0x1f);
                let lowest = cpu.linear(SegmentName::Ss, outer.wrapping_sub(frames as u64));
                let mut bytes = [0; 8 * 32];
                let is_there = read(lowest, &mut bytes[..frames]) == frames;
                (!is_there).then_some(OUTER_FRAMES)
            }
        }
        Mnemonic::Push if instruction.op0_register().is_segment_register() => {
            (instruction.stack_pointer_increment() != -2).then_some(PUSH_SELECTOR)
        }
        Mnemonic::Ret | Mnemonic::Retf
            if cpu.mode().code_bits() != 16 && instruction.immediate16() >= 0x8000 =>
        {
            Some(RET)
        }
        Mnemonic::Test
            if matches!(opcode(cpu.mode(), bytes), Some(0xf6 | 0xf7))
                && bytes[prefixes.len() + 1] & 0x38 == 8 =>
        {
            Some(TEST)
        }
        Mnemonic::Mov
            if matches!(opcode(cpu.mode(), bytes), Some(0x8c | 0x8e))
                && prefixes.iter().any(|byte| is_rex(cpu.mode(), *byte) && byte & 4 != 0) =>
        {
            Some(REX_SELECTOR)
        }
        Mnemonic::Mov
            if instruction.op1_register().is_segment_register()
                && instruction.op0_kind() == OpKind::Memory
                && prefixes.iter().any(|byte| is_rex(cpu.mode(), *byte) && byte & 8 != 0) =>
        {
            Some(STORE)
        }
        Mnemonic::Lzcnt | Mnemonic::Tzcnt => Some(BIT_COUNT),
        Mnemonic::Lss | Mnemonic::Lfs | Mnemonic::Lgs if size == 8 => Some(FAR_POINTER),
        Mnemonic::Cmpxchg if long && size == 4 => Some(EXCHANGE),
        Mnemonic::Bswap if size == 2 => Some(UNDEFINED),
        Mnemonic::Bsf | Mnemonic::Bsr if long && size == 4 => {
            let source = value(cpu, instruction.op1_register());
            source.is_none_or(|source| source as u32 == 0).then_some(SCAN)
        }
        Mnemonic::Shld | Mnemonic::Shrd
            if instruction.is_ip_rel_memory_operand()
                && instruction.op2_kind() == OpKind::Immediate8 =>
        {
            Some(RIP_RELATIVE)
        }
        Mnemonic::Shld | Mnemonic::Shrd => {
            let word = instruction.op1_register().size() == 2;
            let count = match instruction.op2_kind() {
                OpKind::Immediate8 => u64::from(instruction.immediate8()),
                _ => cpu.get(Gpr::Rcx),
            };
            (word && count & 0x1f > 16).then_some(UNDEFINED)
        }
        _ => None,
    }
}

fn by_kind(cpu: &CpuState, instruction: &Instruction) -> Option<&'static str> {
    use Mnemonic as M;
    let real = cpu.mode() == CpuMode::Real;
    match instruction.mnemonic() {
        M::Wait => return Some(VECTORS),
        M::Cpuid | M::Rdtsc | M::Rdtscp | M::Rdpmc | M::Rdrand | M::Rdseed | M::Rdpid => {
            return Some(VARIES);
        }
        M::Hlt
        | M::Int1
        | M::Rdmsr
        | M::Wrmsr
        | M::Lgdt
        | M::Lidt
        | M::Sgdt
        | M::Sidt
        | M::Lmsw
        | M::Smsw
        | M::Clts
        | M::Lldt
        | M::Ltr
        | M::Sldt
        | M::Str
        | M::Invd
        | M::Wbinvd
        | M::Wbnoinvd
        | M::Invlpg
        | M::Invpcid
        | M::Sysenter
        | M::Sysexit
        | M::Syscall
        | M::Sysret
        | M::Sysretq
        | M::Sysexitq
        | M::Swapgs
        | M::Rsm
        | M::Monitor
        | M::Mwait
        | M::Xsetbv
        | M::Xgetbv
        | M::Getsec
        | M::Clac
        | M::Stac
        | M::Rdfsbase
        | M::Rdgsbase
        | M::Wrfsbase
        | M::Wrgsbase
        | M::Rdpkru
        | M::Wrpkru
            if !(real && matches!(instruction.mnemonic(), M::Lldt | M::Ltr | M::Sldt | M::Str)) =>
        {
            return Some(SYSTEM);
        }
        M::In | M::Out | M::Insb | M::Insw | M::Insd | M::Outsb | M::Outsw | M::Outsd => {
            return Some(PORTS);
        }
        _ => {}
    }
    if matches!(
        instruction.code(),
        Code::Mov_cr_r32
            | Code::Mov_cr_r64
            | Code::Mov_r32_cr
            | Code::Mov_r64_cr
            | Code::Mov_dr_r32
            | Code::Mov_dr_r64
            | Code::Mov_r32_dr
            | Code::Mov_r64_dr
            | Code::Mov_tr_r32
            | Code::Mov_r32_tr
    ) {
        return Some(SYSTEM);
    }
    let hint = matches!(
        instruction.mnemonic(),
        M::Prefetchnta | M::Prefetcht0 | M::Prefetcht1 | M::Prefetcht2 | M::Prefetchw | M::Prefetch
    );
    if !hint && !instruction.cpuid_features().iter().all(|feature| is_integer(*feature)) {
        return Some(VECTORS);
    }
    let wide = cpu.mode().code_bits() == 16 && branch_is_wide(instruction);
    wide.then_some(LIMIT)
}

fn is_integer(feature: CpuidFeature) -> bool {
    use CpuidFeature as F;
    matches!(
        feature,
        F::INTEL8086
            | F::INTEL8086_ONLY
            | F::INTEL186
            | F::INTEL286
            | F::INTEL286_ONLY
            | F::INTEL386
            | F::INTEL386_ONLY
            | F::INTEL386_A0_ONLY
            | F::INTEL486
            | F::INTEL486_A_ONLY
            | F::X64
            | F::BMI1
            | F::BMI2
            | F::ADX
            | F::CMOV
            | F::CX8
            | F::CMPXCHG16B
            | F::LZCNT
            | F::POPCNT
            | F::MOVBE
            | F::MULTIBYTENOP
            | F::PAUSE
            | F::PREFETCHW
            | F::CET_IBT
    )
}

/// A near transfer with a 32-bit offset in 16-bit code: most offsets lie beyond the segment.
fn branch_is_wide(instruction: &Instruction) -> bool {
    let near = instruction.flow_control() != FlowControl::Next;
    let wide = instruction.op_kinds().any(|kind| kind == OpKind::NearBranch32)
        || instruction.memory_size() == MemorySize::DwordOffset
        || matches!(
            instruction.code(),
            Code::Retnd
                | Code::Retnd_imm16
                | Code::Retfd
                | Code::Retfd_imm16
                | Code::Iretd
                | Code::Call_rm32
                | Code::Jmp_rm32
                | Code::Call_m1632
                | Code::Jmp_m1632
                | Code::Call_ptr1632
                | Code::Jmp_ptr1632
        );
    near && wide
}

/// Whether it takes flags from the stack that a stream cannot go on with.
fn loads_bad_flags(
    cpu: &CpuState,
    instruction: &Instruction,
    read: &dyn Fn(Linear, &mut [u8]) -> usize,
) -> bool {
    let slot = match instruction.mnemonic() {
        Mnemonic::Popf | Mnemonic::Popfd | Mnemonic::Popfq => 0,
        Mnemonic::Iret => 4,
        Mnemonic::Iretd => 8,
        Mnemonic::Iretq => 16,
        _ => return false,
    };
    let at = cpu.linear(SegmentName::Ss, (cpu.get(Gpr::Rsp) & cpu.stack_mask()).wrapping_add(slot));
    let mut bytes = [0; 4];
    read(at, &mut bytes);
    // NT in 16 bits as well.
    let flags = u32::from_le_bytes(bytes);
    let wide = !matches!(instruction.mnemonic(), Mnemonic::Popf | Mnemonic::Iret);
    flags & (RFLAGS_TF as u32 | 1 << 14) != 0 || wide && flags & 0x3_0000 != 0
}

/// The flags that `instruction` leaves undefined.
pub fn undefined_flags(instruction: &Instruction) -> u32 {
    let mut undefined = instruction.rflags_undefined();
    if matches!(instruction.mnemonic(), Mnemonic::Rcl | Mnemonic::Rcr) {
        // Defined for a count of one only.
        undefined |= RflagsBits::OF;
    }
    let pairs = [
        (RflagsBits::OF, RFLAGS_OF),
        (RflagsBits::SF, RFLAGS_SF),
        (RflagsBits::ZF, RFLAGS_ZF),
        (RflagsBits::AF, RFLAGS_AF),
        (RflagsBits::CF, RFLAGS_CF),
        (RflagsBits::PF, RFLAGS_PF),
    ];
    let flags = pairs.iter().filter(|(bit, _)| undefined & bit != 0);
    flags.fold(0, |all, (_, flag)| all | *flag as u32)
}

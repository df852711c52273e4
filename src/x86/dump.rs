//! The registers as text, in the layout that QEMU's monitor made familiar (`info registers`).

use std::fmt;

use super::registers::{EFER_LMA, RFLAGS_OF, RFLAGS_ZF};
use super::{CpuMode, CpuState, DescriptorTable, FpuState, Gpr, Segment};

/// What [`fmt::Display`] turns into the listing. General registers are as wide as the code: 64 bits in
/// 64-bit mode, else 32; tables and control registers are 64 bits wide in all of IA-32e mode.
#[derive(Clone, Copy, Debug)]
pub struct RegisterDump<'a> {
    /// The processor.
    pub cpu: &'a CpuState,
    /// Its x87 and SSE state.
    pub fpu: &'a FpuState,
    /// DR0 to DR7 by number; 4 and 5 are not shown.
    pub debug: [u64; 8],
    /// Waits in HLT.
    pub halted: bool,
    /// Interrupts are held back for one instruction, after STI or a load of SS.
    pub shadow: bool,
}

/// The flags as `[DOSZAPC]`, a hyphen for each that is clear: direction, overflow, sign, zero, auxiliary
/// carry, parity, carry.
#[must_use]
pub fn flags_text(rflags: u64) -> String {
    const FLAGS: [(u64, char); 7] = [
        (1 << 10, 'D'),
        (RFLAGS_OF, 'O'),
        (1 << 7, 'S'),
        (RFLAGS_ZF, 'Z'),
        (1 << 4, 'A'),
        (1 << 2, 'P'),
        (1 << 0, 'C'),
    ];
    let letters = FLAGS.map(|(bit, letter)| if rflags & bit != 0 { letter } else { '-' });
    format!("[{}]", String::from_iter(letters))
}

impl fmt::Display for RegisterDump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cpu.mode() == CpuMode::Long64 {
            self.general64(f)?;
        } else {
            self.general32(f)?;
        }
        self.segments(f)?;
        self.system(f)?;
        self.float(f)
    }
}

impl RegisterDump<'_> {
    fn general32(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Gpr::{Rax, Rbp, Rbx, Rcx, Rdi, Rdx, Rsi, Rsp};
        let low = |register| self.cpu.get(register) as u32;
        let (a, b, c, d) = (low(Rax), low(Rbx), low(Rcx), low(Rdx));
        writeln!(f, "EAX={a:08x} EBX={b:08x} ECX={c:08x} EDX={d:08x}")?;
        let (si, di, bp, sp) = (low(Rsi), low(Rdi), low(Rbp), low(Rsp));
        writeln!(f, "ESI={si:08x} EDI={di:08x} EBP={bp:08x} ESP={sp:08x}")?;
        let (ip, flags) = (self.cpu.rip as u32, self.cpu.rflags as u32);
        writeln!(f, "EIP={ip:08x} EFL={flags:08x} {}", self.status())
    }

    fn general64(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ROWS: [[(&str, usize); 4]; 4] = [
            [("RAX", 0), ("RBX", 3), ("RCX", 1), ("RDX", 2)],
            [("RSI", 6), ("RDI", 7), ("RBP", 5), ("RSP", 4)],
            [("R8 ", 8), ("R9 ", 9), ("R10", 10), ("R11", 11)],
            [("R12", 12), ("R13", 13), ("R14", 14), ("R15", 15)],
        ];
        for row in ROWS {
            let cells = row.map(|(name, n)| format!("{name}={:016x}", self.cpu.gpr[n]));
            writeln!(f, "{}", cells.join(" "))?;
        }
        let CpuState { rip, rflags, .. } = self.cpu;
        writeln!(f, "RIP={rip:016x} RFL={:08x} {}", *rflags as u32, self.status())
    }

    /// What stands behind the flags. A20 is always open, and system-management mode is never seen.
    fn status(&self) -> String {
        let flags = flags_text(self.cpu.rflags);
        let (cpl, shadow, halted) = (self.cpu.cpl(), u8::from(self.shadow), u8::from(self.halted));
        format!("{flags} CPL={cpl} II={shadow} A20=1 SMM=0 HLT={halted}")
    }

    fn segments(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.cpu.segments;
        for (name, segment) in [
            ("ES ", &s.es),
            ("CS ", &s.cs),
            ("SS ", &s.ss),
            ("DS ", &s.ds),
            ("FS ", &s.fs),
            ("GS ", &s.gs),
            ("LDT", &self.cpu.ldtr),
            ("TR ", &self.cpu.tr),
        ] {
            let width = if self.cpu.mode() == CpuMode::Long64 { 16 } else { 8 };
            let Segment { selector, base, limit, access } = *segment;
            let flags = if access.unusable { 0 } else { segment.flags() };
            write!(f, "{name}={selector:04x} {base:0width$x} {limit:08x} {flags:08x}")?;
            let real = self.cpu.mode() == CpuMode::Real;
            if !real && access.present && !access.unusable {
                write!(f, " DPL={} {}", access.dpl & 3, self.kind(segment))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    /// The type of a segment in words.
    fn kind(&self, segment: &Segment) -> String {
        let long = self.cpu.efer & EFER_LMA != 0;
        let access = segment.access;
        let letter = |bit: u8, letter| if access.kind & bit != 0 { letter } else { '-' };
        if access.is_code() {
            let width = match (access.long && long, access.default_big) {
                (true, _) => 64,
                (false, true) => 32,
                (false, false) => 16,
            };
            format!("CS{width} [{}{}{}]", letter(4, 'C'), letter(2, 'R'), letter(1, 'A'))
        } else if access.code_or_data {
            let width = if access.default_big || long { "  " } else { "16" };
            format!("DS{width} [{}{}{}]", letter(4, 'E'), letter(2, 'W'), letter(1, 'A'))
        } else {
            let name = match access.kind & 0xf {
                1 => "TSS16-avl",
                2 => "LDT",
                3 => "TSS16-busy",
                9 if long => "TSS64-avl",
                9 => "TSS32-avl",
                11 if long => "TSS64-busy",
                11 => "TSS32-busy",
                other => return format!("type {other:x}h"),
            };
            name.to_owned()
        }
    }

    fn system(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.cpu.efer & EFER_LMA != 0 { 16 } else { 8 };
        let CpuState { gdtr, idtr, cr0, cr2, cr3, cr4, efer, .. } = self.cpu;
        for (name, DescriptorTable { base, limit }) in [("GDT", gdtr), ("IDT", idtr)] {
            writeln!(f, "{name}=     {base:0width$x} {limit:08x}")?;
        }
        writeln!(f, "CR0={cr0:08x} CR2={cr2:0width$x} CR3={cr3:0width$x} CR4={cr4:08x}")?;
        let [d0, d1, d2, d3, _, _, d6, d7] = self.debug;
        writeln!(f, "DR0={d0:0width$x} DR1={d1:0width$x} DR2={d2:0width$x} DR3={d3:0width$x}")?;
        writeln!(f, "DR6={d6:0width$x} DR7={d7:0width$x}")?;
        writeln!(f, "EFER={efer:016x}")
    }

    /// x87 registers by physical number, then as many SSE registers as the mode has.
    fn float(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FpuState { fcw, fsw, ftw, mxcsr, xmm, .. } = self.fpu;
        let top = self.fpu.top();
        writeln!(f, "FCW={fcw:04x} FSW={fsw:04x} [ST={top}] FTW={ftw:02x} MXCSR={mxcsr:08x}")?;
        for n in 0..8 {
            let [mantissa @ .., e0, e1] = self.fpu.physical(n);
            let mantissa = u64::from_le_bytes(mantissa);
            let exponent = u16::from_le_bytes([e0, e1]);
            let end = if n % 2 == 0 { ' ' } else { '\n' };
            write!(f, "FPR{n}={mantissa:016x} {exponent:04x}{end}")?;
        }
        let count = if self.cpu.mode() == CpuMode::Long64 { 16 } else { 8 };
        for (n, value) in xmm.iter().take(count).enumerate() {
            let end = if n % 2 == 0 { ' ' } else { '\n' };
            let (high, low) = ((value >> 64) as u64, *value as u64);
            write!(f, "XMM{n:02}={high:016x} {low:016x}{end}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::Access;
    use crate::x86::registers::{CR0_PE, EFER_LME};

    fn dump(cpu: &CpuState, fpu: &FpuState, debug: [u64; 8], halted: bool) -> String {
        RegisterDump { cpu, fpu, debug, halted, shadow: false }.to_string()
    }

    fn value(exponent: u16, mantissa: u64) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&mantissa.to_le_bytes());
        bytes[8..].copy_from_slice(&exponent.to_le_bytes());
        bytes
    }

    const DEBUG: [u64; 8] = [0, 0, 0, 0, 0, 0, 0xffff_0ff0, 0x400];

    /// Lines `range` of `text`, and a check that none ends in a blank.
    fn lines(text: &str, range: std::ops::Range<usize>) -> String {
        assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
        text.lines().collect::<Vec<_>>()[range].join("\n")
    }

    #[test]
    fn real_mode_reads_as_in_qemu() {
        let mut cpu = CpuState {
            rip: 0x7c2e,
            rflags: 0xe97,
            cr0: 0x10,
            cr4: 0x600,
            idtr: DescriptorTable { base: 0, limit: 0x3ff },
            ..CpuState::default()
        };
        *cpu.get_mut(Gpr::Rax) = 0x1111_2222_dead_8000;
        *cpu.get_mut(Gpr::Rsp) = 0x6f04;
        for name in crate::x86::SegmentName::ALL {
            *cpu.segments.get_mut(name) = Segment::paragraph(0, Access::DATA16);
        }
        cpu.segments.cs = Segment::paragraph(0, Access::CODE16);
        cpu.segments.es = Segment::paragraph(0x1234, Access::DATA16);
        cpu.segments.ds = Segment::paragraph(0x7c0, Access::DATA16);
        let system = |kind| Access { kind, code_or_data: false, ..Access::DATA16 };
        cpu.ldtr = Segment { access: system(2), ..Segment::paragraph(0, Access::DATA16) };
        cpu.tr = Segment { access: system(11), ..Segment::paragraph(0, Access::DATA16) };
        let mut fpu = FpuState { fcw: 0x37f, fsw: 0x3000, ftw: 0xc0, ..FpuState::default() };
        fpu.mxcsr = 0x1f80;
        fpu.st[0] = value(0x4000, 0xc90f_daa2_2168_c235);
        fpu.st[1] = value(0x3fff, 1 << 63);
        fpu.xmm[1] = 0xdead_beef;
        let expected = "\
EAX=dead8000 EBX=00000000 ECX=00000000 EDX=00000000
ESI=00000000 EDI=00000000 EBP=00000000 ESP=00006f04
EIP=00007c2e EFL=00000e97 [DOS-APC] CPL=0 II=0 A20=1 SMM=0 HLT=0
ES =1234 00012340 0000ffff 00009300
CS =0000 00000000 0000ffff 00009b00
SS =0000 00000000 0000ffff 00009300
DS =07c0 00007c00 0000ffff 00009300
FS =0000 00000000 0000ffff 00009300
GS =0000 00000000 0000ffff 00009300
LDT=0000 00000000 0000ffff 00008200
TR =0000 00000000 0000ffff 00008b00
GDT=     00000000 00000000
IDT=     00000000 000003ff
CR0=00000010 CR2=00000000 CR3=00000000 CR4=00000600
DR0=00000000 DR1=00000000 DR2=00000000 DR3=00000000
DR6=ffff0ff0 DR7=00000400
EFER=0000000000000000
FCW=037f FSW=3000 [ST=6] FTW=c0 MXCSR=00001f80
FPR0=0000000000000000 0000 FPR1=0000000000000000 0000
FPR2=0000000000000000 0000 FPR3=0000000000000000 0000
FPR4=0000000000000000 0000 FPR5=0000000000000000 0000
FPR6=c90fdaa22168c235 4000 FPR7=8000000000000000 3fff
XMM00=0000000000000000 0000000000000000 XMM01=0000000000000000 00000000deadbeef
XMM02=0000000000000000 0000000000000000 XMM03=0000000000000000 0000000000000000
XMM04=0000000000000000 0000000000000000 XMM05=0000000000000000 0000000000000000
XMM06=0000000000000000 0000000000000000 XMM07=0000000000000000 0000000000000000
";
        let text = dump(&cpu, &fpu, DEBUG, false);
        lines(&text, 0..1);
        assert_eq!(text, expected);
    }

    #[test]
    fn protected_mode_shows_levels_and_types() {
        let load = Segment::from_descriptor;
        let mut cpu =
            CpuState { rip: 0x7c5c, rflags: 6, cr0: CR0_PE | 0x10, ..CpuState::default() };
        cpu.segments.cs = load(8, 0x00cf_9a00_0000_ffff);
        for name in [Gpr::Rbx, Gpr::Rbp] {
            *cpu.get_mut(name) = 0xb;
        }
        for (register, selector, descriptor) in [
            (&mut cpu.segments.es, 0x18, 0x0000_fb00_0000_ffff),
            (&mut cpu.segments.ss, 0x10, 0x00cf_9300_0000_ffff),
            (&mut cpu.segments.ds, 8, 0x0000_9300_0000_ffff),
            (&mut cpu.segments.fs, 0x18, 0x0040_f300_1000_ffff),
            (&mut cpu.segments.gs, 0x20, 0x00cf_9700_0000_ffff),
            (&mut cpu.ldtr, 0x38, 0x0000_8200_9000_001f),
            (&mut cpu.tr, 0x28, 0x0000_8900_8000_0067),
        ] {
            *register = load(selector, descriptor);
        }
        let text = dump(&cpu, &FpuState::default(), DEBUG, true);
        let expected = "\
EAX=00000000 EBX=0000000b ECX=00000000 EDX=00000000
ESI=00000000 EDI=00000000 EBP=0000000b ESP=00000000
EIP=00007c5c EFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
ES =0018 00000000 0000ffff 0000fb00 DPL=3 CS16 [-RA]
CS =0008 00000000 ffffffff 00cf9a00 DPL=0 CS32 [-R-]
SS =0010 00000000 ffffffff 00cf9300 DPL=0 DS   [-WA]
DS =0008 00000000 0000ffff 00009300 DPL=0 DS16 [-WA]
FS =0018 00001000 0000ffff 0040f300 DPL=3 DS   [-WA]
GS =0020 00000000 ffffffff 00cf9700 DPL=0 DS   [EWA]
LDT=0038 00009000 0000001f 00008200 DPL=0 LDT
TR =0028 00008000 00000067 00008900 DPL=0 TSS32-avl";
        assert_eq!(lines(&text, 0..11), expected);
        cpu.tr.access.kind = 0xb;
        cpu.segments.ss.access.dpl = 3;
        let text = dump(&cpu, &FpuState::default(), DEBUG, false);
        assert!(text.contains("TSS32-busy") && text.contains("CPL=3"), "{text}");
    }

    #[test]
    fn long_mode_shows_64_bits_and_all_sixteen_registers() {
        let load = Segment::from_descriptor;
        let mut cpu =
            CpuState { rip: 0x7cb9, rflags: 0x46, cr0: 0x8000_0011, ..CpuState::default() };
        cpu.efer = EFER_LMA | EFER_LME | 1;
        (cpu.cr3, cpu.cr4) = (0x1000, 0x620);
        cpu.gpr = std::array::from_fn(|n| 0x1122_3344_5566_7700 + n as u64);
        cpu.segments.cs = load(8, 0x0020_9a00_0000_0000);
        cpu.segments.ds = load(0x10, 0x00cf_9200_0000_ffff | 1 << 40);
        cpu.segments.ss = Segment::null(0, 0);
        cpu.segments.gs = Segment { base: 0x1234_5678_9abc_def0, ..Segment::null(0, 0) };
        cpu.tr = load(0x28, 0x0000_8b00_8000_0067);
        cpu.gdtr = DescriptorTable { base: 0x7cc0, limit: 0x3f };
        let mut fpu = FpuState::default();
        fpu.xmm[15] = 0x1122_3344_5566_7788 << 64 | 0x99;
        let mut debug = DEBUG;
        debug[0] = 0x1122_3344_5566_7788;
        let text = dump(&cpu, &fpu, debug, true);
        let expected = "\
RAX=1122334455667700 RBX=1122334455667703 RCX=1122334455667701 RDX=1122334455667702
RSI=1122334455667706 RDI=1122334455667707 RBP=1122334455667705 RSP=1122334455667704
R8 =1122334455667708 R9 =1122334455667709 R10=112233445566770a R11=112233445566770b
R12=112233445566770c R13=112233445566770d R14=112233445566770e R15=112233445566770f
RIP=0000000000007cb9 RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1";
        assert_eq!(lines(&text, 0..5), expected);
        let expected = "\
CS =0008 0000000000000000 00000000 00209a00 DPL=0 CS64 [-R-]
SS =0000 0000000000000000 00000000 00000000
DS =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]";
        assert_eq!(lines(&text, 6..9), expected);
        let expected = "\
GS =0000 123456789abcdef0 00000000 00000000
LDT=0000 0000000000000000 00000000 00000000
TR =0028 0000000000008000 00000067 00008b00 DPL=0 TSS64-busy
GDT=     0000000000007cc0 0000003f
IDT=     0000000000000000 00000000
CR0=80000011 CR2=0000000000000000 CR3=0000000000001000 CR4=00000620
DR0=1122334455667788 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000
DR6=00000000ffff0ff0 DR7=0000000000000400
EFER=0000000000000501";
        assert_eq!(lines(&text, 10..19), expected);
        let expected =
            "XMM14=0000000000000000 0000000000000000 XMM15=1122334455667788 0000000000000099";
        assert_eq!(text.lines().last(), Some(expected));

        // Compatibility mode: 32-bit code, 64-bit tables.
        cpu.segments.cs = load(8, 0x0000_9f00_0000_ffff);
        let text = dump(&cpu, &fpu, debug, false);
        assert!(text.starts_with("EAX=55667700 "), "{text}");
        assert!(
            text.contains("\nCS =0008 00000000 0000ffff 00009f00 DPL=0 CS16 [CRA]\n"),
            "{text}"
        );
        assert!(text.contains("\nGDT=     0000000000007cc0 0000003f\n"), "{text}");
        assert!(!text.contains("XMM08"), "{text}");
    }

    #[test]
    fn virtual_8086_mode_runs_in_ring_3() {
        let mut cpu = CpuState { rflags: 0x2_0002, cr0: 0x11, ..CpuState::default() };
        let access = Access { dpl: 3, ..Access::DATA16 };
        cpu.segments.cs = Segment::paragraph(0x7c0, access);
        let text = dump(&cpu, &FpuState::default(), DEBUG, false);
        assert!(text.contains("EFL=00020002 [-------] CPL=3 "), "{text}");
        assert!(
            text.contains("\nCS =07c0 00007c00 0000ffff 0000f300 DPL=3 DS16 [-WA]\n"),
            "{text}"
        );
    }

    #[test]
    fn the_shadow_and_odd_system_segments_are_shown() {
        let mut cpu = CpuState { cr0: CR0_PE, ..CpuState::default() };
        cpu.tr = Segment::from_descriptor(8, 0x0000_8c00_0000_0000);
        let fpu = FpuState::default();
        let text = RegisterDump { cpu: &cpu, fpu: &fpu, debug: DEBUG, halted: false, shadow: true };
        let text = text.to_string();
        assert!(text.contains(" II=1 ") && text.contains("DPL=0 type ch\n"), "{text}");
    }

    #[test]
    fn each_flag_has_its_letter() {
        assert_eq!(flags_text(0), "[-------]");
        assert_eq!(flags_text(u64::MAX), "[DOSZAPC]");
        assert_eq!(flags_text(0x246), "[---Z-P-]");
        assert_eq!(flags_text(0x401), "[D-----C]");
    }
}

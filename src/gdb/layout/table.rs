//! The table of registers of each description.

use crate::x86::{CpuMode, Gpr, SegmentName};

use super::Field;
use super::core::{CoreField, ORDER_64};
use super::system::SystemField;

/// The architectures that gdb tells apart, by what it does with them: disassembly, names and sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Description {
    /// 16-bit code; the registers are those of the 80386.
    I8086,
    /// 32-bit code.
    I386,
    /// 64-bit code.
    X86_64,
}

impl Description {
    /// All three.
    pub const ALL: [Description; 3] = [Description::I8086, Description::I386, Description::X86_64];

    /// The description that fits code in `mode`.
    #[must_use]
    pub fn for_mode(mode: CpuMode) -> Description {
        match mode.code_bits() {
            16 => Description::I8086,
            32 => Description::I386,
            _ => Description::X86_64,
        }
    }

    /// The name gdb gives the architecture.
    #[must_use]
    pub fn architecture(self) -> &'static str {
        match self {
            Description::I8086 => "i8086",
            Description::I386 => "i386",
            Description::X86_64 => "i386:x86-64",
        }
    }
}

/// A feature of a target description: a named group of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    Core,
    Sse,
    Segments,
    System,
}

impl Feature {
    /// All, in the order in which a description lists them.
    pub(super) const ALL: [Feature; 4] =
        [Feature::Core, Feature::Sse, Feature::Segments, Feature::System];

    /// The name; gdb knows those that begin with `org.gnu.gdb`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Feature::Core => "org.gnu.gdb.i386.core",
            Feature::Sse => "org.gnu.gdb.i386.sse",
            Feature::Segments => "org.gnu.gdb.i386.segments",
            Feature::System => "org.stepvisor.x86.system",
        }
    }
}

/// One register of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name, as a user types it after `$`.
    pub name: String,
    /// Size in bits, a multiple of 8.
    pub bits: u32,
    /// The gdb type that decides how it is displayed.
    pub kind: &'static str,
    /// The register group, where it is not the one that gdb guesses from the type.
    pub group: Option<&'static str>,
    pub(super) feature: Feature,
    pub(super) field: Field,
}

impl Row {
    /// Size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bits as usize / 8
    }

    /// Lower numbers are written first when several registers change at once.
    pub(super) fn write_order(&self) -> u8 {
        match self.field {
            Field::Core(field) => field.write_order(),
            Field::System(field) => field.write_order(),
        }
    }

    fn core(name: impl Into<String>, bits: u32, kind: &'static str, field: CoreField) -> Row {
        let (name, field) = (name.into(), Field::Core(field));
        Row { name, bits, kind, group: None, feature: Feature::Core, field }
    }

    fn system(name: impl Into<String>, bits: u32, kind: &'static str, field: SystemField) -> Row {
        let (name, field) = (name.into(), Field::System(field));
        Row { name, bits, kind, group: Some("system"), feature: Feature::System, field }
    }

    fn group(self, group: &'static str) -> Row {
        Row { group: Some(group), ..self }
    }

    fn feature(self, feature: Feature) -> Row {
        Row { feature, ..self }
    }
}

/// The rows of `description`, in the order of their numbers.
pub(super) fn rows(description: Description) -> Vec<Row> {
    let mut rows = match description {
        Description::I8086 | Description::I386 => general_32(),
        Description::X86_64 => general_64(),
    };
    for name in SegmentName::ALL {
        rows.push(Row::core(name.as_str(), 32, "int32", CoreField::Selector(name)));
    }
    rows.extend(x87());
    rows.extend(sse(if description == Description::X86_64 { 16 } else { 8 }));
    rows.extend(system(description));
    rows
}

fn general_32() -> Vec<Row> {
    let gpr = |name, kind, gpr| Row::core(name, 32, kind, CoreField::Gpr(gpr));
    vec![
        gpr("eax", "int32", Gpr::Rax),
        gpr("ecx", "int32", Gpr::Rcx),
        gpr("edx", "int32", Gpr::Rdx),
        gpr("ebx", "int32", Gpr::Rbx),
        gpr("esp", "data_ptr", Gpr::Rsp),
        gpr("ebp", "data_ptr", Gpr::Rbp),
        gpr("esi", "int32", Gpr::Rsi),
        gpr("edi", "int32", Gpr::Rdi),
        Row::core("eip", 32, "code_ptr", CoreField::Pc),
        Row::core("eflags", 32, "i386_eflags", CoreField::Flags),
    ]
}

fn general_64() -> Vec<Row> {
    let row = |gpr: Gpr| {
        let kind = if matches!(gpr, Gpr::Rsp | Gpr::Rbp) { "data_ptr" } else { "int64" };
        Row::core(format!("{gpr:?}").to_lowercase(), 64, kind, CoreField::Gpr(gpr))
    };
    let mut rows = ORDER_64.map(row).to_vec();
    rows.push(Row::core("rip", 64, "code_ptr", CoreField::Pc));
    rows.push(Row::core("eflags", 32, "i386_eflags", CoreField::Flags));
    rows
}

fn x87() -> Vec<Row> {
    let stack = (0..8).map(|n| Row::core(format!("st{n}"), 80, "i387_ext", CoreField::St(n)));
    let control = [
        ("fctrl", CoreField::Fctrl),
        ("fstat", CoreField::Fstat),
        ("ftag", CoreField::Ftag),
        ("fiseg", CoreField::Fiseg),
        ("fioff", CoreField::Fioff),
        ("foseg", CoreField::Foseg),
        ("fooff", CoreField::Fooff),
        ("fop", CoreField::Fop),
    ];
    let control = control.map(|(name, field)| Row::core(name, 32, "int", field).group("float"));
    stack.chain(control).collect()
}

fn sse(count: usize) -> Vec<Row> {
    let xmm = |n| Row::core(format!("xmm{n}"), 128, "vec128", CoreField::Xmm(n));
    let mxcsr = Row::core("mxcsr", 32, "i386_mxcsr", CoreField::Mxcsr).group("vector");
    (0..count).map(xmm).chain([mxcsr]).map(|row| row.feature(Feature::Sse)).collect()
}

fn system(description: Description) -> Vec<Row> {
    let wide = description == Description::X86_64;
    let (bits, int) = if wide { (64, "int64") } else { (32, "int32") };
    let mut rows = Vec::new();
    if description == Description::I8086 {
        rows.push(Row::system("sp", 32, "data_ptr", SystemField::StackTop));
        rows.push(Row::system("ip", 16, "uint16", SystemField::Ip));
    }
    let base = |name: SegmentName| {
        Row::system(format!("{}_base", name.as_str()), bits, int, SystemField::Base(name))
    };
    if wide {
        // gdb has a feature of its own for these two, and takes them under 64-bit architectures only.
        for name in [SegmentName::Fs, SegmentName::Gs] {
            rows.push(base(name).feature(Feature::Segments));
        }
        rows.extend(SegmentName::ALL.into_iter().take(4).map(base));
    } else {
        rows.extend(SegmentName::ALL.map(base));
    }
    rows.extend([
        Row::system("cr0", 32, "cr0_flags", SystemField::Cr0),
        Row::system("cr2", bits, int, SystemField::Cr2),
        Row::system("cr3", bits, int, SystemField::Cr3),
        Row::system("cr4", 32, "cr4_flags", SystemField::Cr4),
        Row::system("cr8", bits, int, SystemField::Cr8),
        Row::system("efer", 32, "efer_flags", SystemField::Efer),
        Row::system("gdtr_base", bits, int, SystemField::GdtrBase),
        Row::system("gdtr_limit", 16, "uint16", SystemField::GdtrLimit),
        Row::system("idtr_base", bits, int, SystemField::IdtrBase),
        Row::system("idtr_limit", 16, "uint16", SystemField::IdtrLimit),
        Row::system("ldtr", 16, "uint16", SystemField::Ldtr),
        Row::system("ldtr_base", bits, int, SystemField::LdtrBase),
        Row::system("tr", 16, "uint16", SystemField::Tr),
        Row::system("tr_base", bits, int, SystemField::TrBase),
        Row::system("dr0", bits, int, SystemField::Debug(0)),
        Row::system("dr1", bits, int, SystemField::Debug(1)),
        Row::system("dr2", bits, int, SystemField::Debug(2)),
        Row::system("dr3", bits, int, SystemField::Debug(3)),
        Row::system("dr6", 32, "dr6_flags", SystemField::Debug(6)),
        Row::system("dr7", 32, "dr7_flags", SystemField::Debug(7)),
        Row::system("mode", 32, "cpu_mode", SystemField::Mode),
    ]);
    rows
}

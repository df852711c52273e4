//! Register layouts: which registers a client sees, in which order, size and type.
//!
//! There are three, one for each architecture that gdb tells apart ([`Description`]). One table of [`Row`]s
//! is the single source of the target description, of the `g` packet and of `p` and `P`, so that they cannot
//! disagree. The core registers are gdbstub_arch's structs; behind them stand registers of our own, which
//! make segments, control registers and descriptor tables visible.
//!
//! Two registers are not what the processor holds. The program counter is linear (CS.base + IP), because a
//! client compares it with the addresses of breakpoints and symbols. `sp`, in 16-bit code, is SS.base + SP,
//! because a client reads memory there; `esp` stays what it is.

mod core;
mod error;
mod system;
mod table;
mod types;
mod value;
mod xml;

use std::sync::LazyLock;

use crate::x86::{CpuMode, CpuState, FpuState, SegmentName};

use self::core::CoreField;
use self::system::SystemField;

pub use self::error::RegisterError;
pub use self::table::{Description, Row};

/// Everything that the registers of a layout show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterFile {
    /// Integer, segment and control registers.
    pub cpu: CpuState,
    /// x87 and SSE.
    pub fpu: FpuState,
    /// DR0 to DR7; 4 and 5 mean nothing.
    pub debug: [u64; 8],
}

/// What a register write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// [`RegisterFile::cpu`] has the new value.
    Cpu,
    /// [`RegisterFile::fpu`] has the new value.
    Fpu,
    /// [`RegisterFile::debug`] has the new value.
    Debug,
    /// Nothing changed yet: the selector is to be loaded through the descriptor tables in guest memory.
    LoadSelector(SegmentName, u16),
}

/// What a row of the table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Core(CoreField),
    System(SystemField),
}

/// The registers that a client sees under one [`Description`].
#[derive(Debug)]
pub struct Layout {
    description: Description,
    rows: Vec<Row>,
    /// Where each row starts in the `g` packet; one more than there are rows.
    offsets: Vec<usize>,
    xml: String,
}

impl Layout {
    /// The layout of `description`.
    #[must_use]
    pub fn of(description: Description) -> &'static Layout {
        static I8086: LazyLock<Layout> = LazyLock::new(|| Layout::new(Description::I8086));
        static I386: LazyLock<Layout> = LazyLock::new(|| Layout::new(Description::I386));
        static X86_64: LazyLock<Layout> = LazyLock::new(|| Layout::new(Description::X86_64));
        match description {
            Description::I8086 => &I8086,
            Description::I386 => &I386,
            Description::X86_64 => &X86_64,
        }
    }

    /// The layout that fits code in `mode`.
    #[must_use]
    pub fn for_mode(mode: CpuMode) -> &'static Layout {
        Layout::of(Description::for_mode(mode))
    }

    fn new(description: Description) -> Layout {
        let rows = table::rows(description);
        let mut offsets = vec![0];
        let mut end = 0;
        for row in &rows {
            end += row.bytes();
            offsets.push(end);
        }
        let xml = xml::target_xml(description, &rows);
        Layout { description, rows, offsets, xml }
    }

    /// Which of the three layouts this is.
    #[must_use]
    pub fn description(&self) -> Description {
        self.description
    }

    /// The registers; a register's number is its place.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The number of the register `name`.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.name == name)
    }

    /// The target description, `target.xml`.
    #[must_use]
    pub fn xml(&self) -> &str {
        &self.xml
    }

    /// Bytes in a `g` packet.
    #[must_use]
    pub fn size(&self) -> usize {
        self.offsets.last().copied().unwrap_or_default()
    }

    /// The value of every register, in the order of the `g` packet.
    #[must_use]
    pub fn read_all(&self, file: &RegisterFile) -> Vec<u8> {
        let mut bytes = self.core(&file.cpu, &file.fpu);
        for row in &self.rows {
            if let Field::System(field) = row.field {
                let value = field.read(&file.cpu, &file.debug).to_le_bytes();
                bytes.extend(value.iter().take(row.bytes()));
            }
        }
        bytes
    }

    /// Which parts of the processor the register with the number `number` shows, besides [`RegisterFile::cpu`]:
    /// x87 and SSE, debug registers.
    #[must_use]
    pub fn parts(&self, number: usize) -> (bool, bool) {
        match self.rows.get(number).map(|row| row.field) {
            Some(Field::Core(field)) => (!field.is_general(), false),
            Some(Field::System(field)) => (false, matches!(field, SystemField::Debug(_))),
            None => (false, false),
        }
    }

    /// The value of the register with the number `number`; `None` if there is none.
    #[must_use]
    pub fn read(&self, file: &RegisterFile, number: usize) -> Option<Vec<u8>> {
        Some(self.slice(&self.read_all(file), number)?.to_vec())
    }

    /// The value of the register with the number `number`, if it is one of the integer registers that
    /// [`RegisterFile::cpu`] has: zero-extended.
    #[must_use]
    pub fn integer(&self, cpu: &CpuState, number: usize) -> Option<u64> {
        let row = self.rows.get(number)?;
        let value = match row.field {
            Field::Core(field) => field.integer(cpu)?,
            Field::System(SystemField::Debug(_)) => return None,
            Field::System(field) => field.read(cpu, &[0; 8]),
        };
        Some(value & (u64::MAX >> 64u32.saturating_sub(row.bits)))
    }

    /// Numbers and values of the registers that a client looks at whenever the guest stops: general registers,
    /// program counter, flags and segments. x87 and SSE are not among them, as fetching them costs time.
    #[must_use]
    pub fn expedited(&self, cpu: &CpuState) -> Vec<(usize, Vec<u8>)> {
        let core = self.core(cpu, &FpuState::default());
        let value = |(number, row): (usize, &Row)| match row.field {
            Field::Core(field) if field.is_general() => {
                Some((number, self.slice(&core, number)?.to_vec()))
            }
            Field::System(field) if field.is_expedited() => {
                let bytes = field.read(cpu, &[0; 8]).to_le_bytes();
                Some((number, bytes.get(..row.bytes())?.to_vec()))
            }
            _ => None,
        };
        self.rows.iter().enumerate().filter_map(value).collect()
    }

    /// Writes `bytes` to the register with the number `number`.
    ///
    /// # Errors
    ///
    /// There is no such register, it has another size, or it cannot hold the value; `file` is unchanged then.
    pub fn write(
        &self,
        file: &mut RegisterFile,
        number: usize,
        bytes: &[u8],
    ) -> Result<Change, RegisterError> {
        let row = self.rows.get(number).ok_or(RegisterError::Unknown { number })?;
        if bytes.len() != row.bytes() {
            return Err(RegisterError::Size {
                name: row.name.clone(),
                bytes: bytes.len(),
                expected: row.bytes(),
            });
        }
        let mut wide = [0; 16];
        wide.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let value = u128::from_le_bytes(wide);
        match row.field {
            Field::Core(field) => field.write(file, value, row),
            Field::System(field) => field.write(file, value, row),
        }
    }

    /// Writes a whole `g` packet: every register whose value in `bytes` is not the present one, selectors and
    /// bases first, so that addresses are taken apart with the new ones.
    ///
    /// # Errors
    ///
    /// `bytes` has another size or one register cannot hold its value; `file` is unchanged then.
    pub fn write_all(
        &self,
        file: &mut RegisterFile,
        bytes: &[u8],
    ) -> Result<Vec<Change>, RegisterError> {
        if bytes.len() != self.size() {
            let name = "g packet".to_owned();
            return Err(RegisterError::Size { name, bytes: bytes.len(), expected: self.size() });
        }
        let present = self.read_all(file);
        let changed = |number: &usize| self.slice(bytes, *number) != self.slice(&present, *number);
        let mut numbers: Vec<usize> = (0..self.rows.len()).filter(changed).collect();
        numbers.sort_by_key(|number| self.rows.get(*number).map(Row::write_order));
        let mut new = file.clone();
        let mut changes = Vec::new();
        for number in numbers {
            let change =
                self.write(&mut new, number, self.slice(bytes, number).unwrap_or_default())?;
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        *file = new;
        Ok(changes)
    }

    /// The core registers as gdbstub_arch lays them out; they are the first rows.
    fn core(&self, cpu: &CpuState, fpu: &FpuState) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size());
        match self.description {
            Description::I8086 | Description::I386 => core::serialise_32(cpu, fpu, &mut bytes),
            Description::X86_64 => core::serialise_64(cpu, fpu, &mut bytes),
        }
        bytes
    }

    fn slice<'a>(&self, bytes: &'a [u8], number: usize) -> Option<&'a [u8]> {
        bytes.get(*self.offsets.get(number)?..*self.offsets.get(number + 1)?)
    }
}

#[cfg(test)]
mod tests;

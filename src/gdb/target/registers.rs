//! Registers: `g`, `G`, `p`, `P`.

use std::convert::Infallible;

use gdbstub::target::ext::base::single_register_access::{
    SingleRegisterAccess, SingleRegisterAccessOps,
};
use gdbstub::target::ext::base::singlethread::{SingleThreadBase, SingleThreadResumeOps};
use gdbstub::target::{TargetError, TargetResult};

use super::{FAULT, Guest};
use crate::gdb::arch::{RegisterBytes, RegisterNumber};
use crate::gdb::layout::{Change, RegisterError, RegisterFile};
use crate::machine::Machine;
use crate::x86::Linear;

/// The integer registers, and of the others, which cost a system call each, what is wanted: x87 and SSE, debug
/// registers. `Err` has the text for the client.
pub(super) fn part_of_register_file(
    machine: &Machine,
    (fpu, debug): (bool, bool),
) -> Result<RegisterFile, String> {
    let mut file = RegisterFile { cpu: machine.cpu().clone(), ..RegisterFile::default() };
    if fpu {
        file.fpu = machine.fpu().map_err(|error| error.to_string())?;
    }
    if debug {
        file.debug = machine.debug_registers().map_err(|error| error.to_string())?;
    }
    Ok(file)
}

impl Guest<'_> {
    /// All that registers show; `Err` has the text for the client.
    fn register_file(&self) -> Result<RegisterFile, String> {
        part_of_register_file(self.machine, (true, true))
    }

    /// Hands what a write changed to the machine.
    fn apply(&mut self, file: &RegisterFile, changes: &[Change]) -> Result<(), String> {
        let mut cpu = file.cpu.clone();
        for change in changes {
            if let Change::LoadSelector(name, selector) = *change {
                // Loaded on the way that the processor would take, from the tables as they are now.
                let loaded = self.machine.load_segment(name, selector);
                let segment = cpu.segments.get_mut(name);
                // A base that is written along with its selector is meant to differ from the table's.
                let base = segment.base;
                let base_is_written = base != self.machine.cpu().segments.get(name).base;
                *segment = loaded.map_err(|error| error.to_string())?;
                if base_is_written {
                    segment.base = base;
                }
            }
        }
        let touches_cpu = |c: &Change| matches!(c, Change::Cpu | Change::LoadSelector(..));
        let before = self.machine.cpu().clone();
        if changes.iter().any(touches_cpu) {
            self.machine.set_cpu(&cpu).map_err(|error| error.to_string())?;
        }
        let rest = self.apply_rest(file, changes);
        if rest.is_err() {
            // All or nothing.
            self.machine.set_cpu(&before).map_err(|error| error.to_string())?;
        }
        rest
    }

    fn apply_rest(&mut self, file: &RegisterFile, changes: &[Change]) -> Result<(), String> {
        if changes.contains(&Change::Fpu) {
            self.machine.set_fpu(&file.fpu).map_err(|error| error.to_string())?;
        }
        if changes.contains(&Change::Debug) {
            self.machine.set_debug_registers(&file.debug).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn change_registers(
        &mut self,
        parts: (bool, bool),
        write: impl FnOnce(&mut RegisterFile) -> Result<Vec<Change>, RegisterError>,
    ) -> TargetResult<(), Self> {
        self.reported = None;
        let changed = part_of_register_file(self.machine, parts).and_then(|mut file| {
            let changes = write(&mut file).map_err(|error| error.to_string())?;
            self.apply(&file, &changes)
        });
        changed.map_err(|error| self.refuse(error))
    }
}

impl SingleThreadBase for Guest<'_> {
    fn read_registers(&mut self, registers: &mut RegisterBytes) -> TargetResult<(), Self> {
        let file = self.register_file().map_err(|error| self.refuse(error))?;
        registers.0 = self.layout.read_all(&file);
        Ok(())
    }

    fn write_registers(&mut self, registers: &RegisterBytes) -> TargetResult<(), Self> {
        let layout = self.layout;
        self.change_registers((true, true), |file| layout.write_all(file, &registers.0))
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, (), Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, addr: u64, data: &mut [u8]) -> TargetResult<usize, Self> {
        self.read_memory(Linear(addr), data)
    }

    fn write_addrs(&mut self, addr: u64, data: &[u8]) -> TargetResult<(), Self> {
        self.write_memory(Linear(addr), data)
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<()> for Guest<'_> {
    fn read_register(
        &mut self,
        (): (),
        number: RegisterNumber,
        buffer: &mut [u8],
    ) -> TargetResult<usize, Self> {
        let parts = self.layout.parts(number.0);
        let file =
            part_of_register_file(self.machine, parts).map_err(|error| self.refuse(error))?;
        let value = self.layout.read(&file, number.0);
        let value =
            value.ok_or_else(|| self.refuse(RegisterError::Unknown { number: number.0 }))?;
        let buffer =
            buffer.get_mut(..value.len()).ok_or(TargetError::<Infallible>::Errno(FAULT))?;
        buffer.copy_from_slice(&value);
        Ok(value.len())
    }

    fn write_register(
        &mut self,
        (): (),
        number: RegisterNumber,
        value: &[u8],
    ) -> TargetResult<(), Self> {
        let layout = self.layout;
        self.change_registers(layout.parts(number.0), |file| {
            Ok(vec![layout.write(file, number.0, value)?])
        })
    }
}

//! Which exception an instruction raises: asked of the emulator where it knows the instruction, else of the
//! processor, else concluded from its memory operands.
//!
//! Nothing of it changes the guest.

use crate::devices::OPEN_BUS;
use crate::emulator::{self, Environment, Event, Fault, Raised};
use crate::kvm::KvmError;
use crate::machine::Machine;
use crate::x86::paging::PhysRead;
use crate::x86::{CpuState, Features, Phys};

/// The machine as it looks to an instruction that is only thought about: what is written is lost, and
/// devices do not notice that they are read.
pub(in crate::machine) struct Imagined<'a>(pub(in crate::machine) &'a Machine);

impl PhysRead for Imagined<'_> {
    fn read_phys(&self, addr: Phys, data: &mut [u8]) -> bool {
        self.0.vm.ram().read_phys(addr, data)
    }
}

impl Environment for Imagined<'_> {
    fn read(&mut self, addr: Phys, data: &mut [u8]) {
        let read = self.0.read_phys(addr, data);
        data[read..].fill(OPEN_BUS);
    }

    fn write(&mut self, _: Phys, _: &[u8]) {}

    fn msr(&mut self, index: u32) -> Option<u64> {
        self.0.vcpu.msr(index)
    }

    fn xcr(&mut self, index: u32) -> Option<u64> {
        self.0.vcpu.xcr(index)
    }

    fn x87_exception_pending(&mut self) -> bool {
        self.0.fpu().is_ok_and(|fpu| fpu.has_pending_exception())
    }

    fn end_local_breakpoints(&mut self) {}

    fn random(&mut self) -> Option<u64> {
        None
    }

    fn features(&self) -> Features {
        self.0.vcpu.features()
    }
}

impl Machine {
    /// What the instruction at CS:IP of `cpu` raises, if that can be found out.
    ///
    /// # Errors
    /// A KVM call failed.
    pub(in crate::machine) fn raised_by(&mut self, cpu: &CpuState) -> Result<Raised, KvmError> {
        if let Ok(raised) = emulator::raised(cpu, &mut Imagined(self)) {
            return Ok(raised);
        }
        let found = match self.try_out(cpu)? {
            Some(fault) => Some(fault),
            None => emulator::operand_fault(cpu, &mut Imagined(self)),
        };
        Ok(found.map_or(Raised::Nothing, Raised::Fault))
    }
}

/// `raised` as an event of the instruction at `rip`, and what a page fault leaves in CR2.
pub(in crate::machine) fn event(raised: Raised, rip: u64) -> Option<(Event, Option<u64>)> {
    match raised {
        Raised::Nothing => None,
        Raised::Fault(fault @ Fault { address, .. }) => {
            Some((Event::fault(&fault, rip), address.map(|address| address.0)))
        }
        Raised::Event(event) => Some((event, None)),
    }
}

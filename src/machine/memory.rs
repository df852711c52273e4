//! Memory as a debugger sees it: through the guest's own translation, devices included, without side
//! effects and without access checks.

use std::slice;

use super::Machine;
use crate::kvm::KvmError;
use crate::x86::instruction::MAX_LEN;
use crate::x86::paging::{self, Fault, PhysRead, Walk};
use crate::x86::{Linear, Phys};

/// What answers at a guest-physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Physical {
    /// RAM.
    Ram {
        /// First address of the region.
        start: Phys,
        /// Its length in bytes.
        size: u64,
        /// Host virtual address of the byte asked for.
        host: u64,
    },
    /// ROM.
    Rom,
    /// Memory of a device.
    Device,
    /// Nothing.
    Hole,
}

impl PhysRead for Machine {
    fn read_phys(&self, addr: Phys, data: &mut [u8]) -> bool {
        Machine::read_phys(self, addr, data) == data.len()
    }
}

impl Machine {
    /// Reads guest-physical memory; returns how many bytes from the start there are.
    #[must_use]
    pub fn read_phys(&self, addr: Phys, data: &mut [u8]) -> usize {
        let mut done = 0;
        while done < data.len() {
            let at = addr.offset(done as u64);
            let from_ram = self.vm.ram().read(at, &mut data[done..]);
            if from_ram > 0 {
                done += from_ram;
                continue;
            }
            let gap = self.vm.ram().gap(at, data.len() - done);
            let there = self.vm.ram().through_a20(at);
            let bytes = data[done..done + gap].iter_mut();
            let from_device = (0..).zip(bytes).map_while(|(offset, byte)| {
                self.devices.mmio_peek(there.offset(offset), slice::from_mut(byte)).then_some(())
            });
            let read = from_device.count();
            done += read;
            if read < gap || gap == 0 {
                break;
            }
        }
        done
    }

    /// Writes guest-physical memory, but no ROM; returns how many bytes from the start were written.
    pub fn write_phys(&mut self, addr: Phys, data: &[u8]) -> usize {
        self.forget_checkpoint();
        self.altered = true;
        self.amend_phys(addr, data)
    }

    /// The same, for what belongs to a step: it will happen again when the guest is run again.
    pub(super) fn amend_phys(&mut self, addr: Phys, data: &[u8]) -> usize {
        let mut done = 0;
        while done < data.len() {
            let at = addr.offset(done as u64);
            let to_ram = self.vm.ram().write(at, &data[done..]);
            if to_ram > 0 {
                done += to_ram;
            } else if self.devices.mmio_write(self.vm.ram().through_a20(at), &data[done..=done]) {
                done += 1;
            } else {
                break;
            }
        }
        done
    }

    /// Reads linear memory as the guest would at this moment; returns how many bytes from the start are
    /// mapped and there.
    #[must_use]
    pub fn read_linear(&self, addr: Linear, data: &mut [u8]) -> usize {
        let mut done = 0;
        while done < data.len() {
            let Some((phys, len)) = self.piece(addr.offset(done as u64), data.len() - done) else {
                break;
            };
            let read = self.read_phys(phys, &mut data[done..done + len]);
            done += read;
            if read < len {
                break;
            }
        }
        done
    }

    /// Writes linear memory as the guest would at this moment, but without regard to write protection;
    /// returns how many bytes from the start were written.
    pub fn write_linear(&mut self, addr: Linear, data: &[u8]) -> usize {
        self.forget_checkpoint();
        self.altered = true;
        self.amend_linear(addr, data)
    }

    /// The same, for what belongs to a step; see [`Machine::amend_phys`].
    pub(super) fn amend_linear(&mut self, addr: Linear, data: &[u8]) -> usize {
        let mut done = 0;
        while done < data.len() {
            let Some((phys, len)) = self.piece(addr.offset(done as u64), data.len() - done) else {
                break;
            };
            let written = self.amend_phys(phys, &data[done..done + len]);
            done += written;
            if written < len {
                break;
            }
        }
        done
    }

    /// Where `addr` is, and how many of the next `len` bytes follow it on the same page.
    fn piece(&self, addr: Linear, len: usize) -> Option<(Phys, usize)> {
        let translation = self.translate(addr).ok()?;
        let len = usize::try_from(translation.remaining).map_or(len, |rest| rest.min(len));
        Some((translation.phys, len))
    }

    /// Translates a linear address with the guest's page tables.
    ///
    /// # Errors
    /// Why the guest would fault there.
    pub fn translate(&self, addr: Linear) -> Result<paging::Translation, Fault> {
        paging::lookup(self.vcpu.cpu(), self, addr)
    }

    /// The whole chain of page-table entries for a linear address.
    #[must_use]
    pub fn walk(&self, addr: Linear) -> Walk {
        paging::walk(self.vcpu.cpu(), self, addr)
    }

    /// What answers at a guest-physical address.
    #[must_use]
    pub fn physical(&self, addr: Phys) -> Physical {
        let addr = self.vm.ram().through_a20(addr);
        if self.vm.ram().is_rom(addr) {
            return Physical::Rom;
        }
        if let Some(region) = self.vm.ram().region_of(addr) {
            let host = region.host + (addr.0 - region.start.0);
            return Physical::Ram { start: region.start, size: region.size, host };
        }
        let claimed = self.devices.mmio_peek(addr, &mut [0]);
        if claimed { Physical::Device } else { Physical::Hole }
    }

    /// Makes memory what address line A20 makes of it.
    pub(super) fn follow_a20(&mut self) -> Result<(), KvmError> {
        let on = self.devices.chipset().keyboard().a20();
        self.vm.set_a20(on)
    }

    /// The bytes of the next instruction, as many as are there.
    pub(super) fn code_bytes(&self, buffer: &mut [u8; MAX_LEN]) -> usize {
        self.read_linear(self.vcpu.cpu().pc(), buffer)
    }
}

//! INT n of real mode with n from 80h on, of which KVM's instruction emulator makes a table index below zero.
//!
//! It takes the byte for a signed number and reads the vector at IDTR.base + 4 × (n - 256), where nothing is with
//! a base of 0; it then tries again for ever, with IF and AC lost at the first try. So where such an emulator
//! runs the guest, the table is shown to it at an address of its own ([`TABLE`]), as the first page of RAM once
//! more, and below it stands a page whose entries lead to places without memory ([`trapped`]): KVM pushes the
//! frame, as it should, and leaves the guest there. Nothing of this can be seen in the guest: SIDT stores the low
//! half of the base, which is 0 (SDM vol. 2B, SIDT), and what LIDT loads is used as it is until the next entry.
//! A guest that goes on to long mode without LIDT has its table at [`TABLE`] until the next exit.

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::VmFd;

use super::{KvmError, Vcpu};
use crate::memory::Ram;
use crate::x86::registers::CR0_PE;
use crate::x86::{CpuState, Phys};

/// Where the interrupt table is shown: beyond all RAM, with a low half of 0.
pub(super) const TABLE: u64 = 1 << 39;
/// The segment that trapped interrupts lead to, in that part of the video window of which KVM is shown no memory.
const SELECTOR: u16 = 0xb000;
const PAGE: u64 = 0x1000;
/// Memory slots that RAM leaves free.
const SLOTS: [u32; 2] = [30, 31];

/// Shows the first page of `ram` at [`TABLE`], and below it that of `traps`, filled with traps.
pub(super) fn map(fd: &VmFd, ram: &Ram, traps: &Ram) -> Result<(), KvmError> {
    let entry = |n: u16| [n.to_le_bytes(), SELECTOR.to_le_bytes()].concat();
    let entries: Vec<u8> = (0x80..=0xff).flat_map(entry).collect();
    let written = traps.write(Phys(PAGE - entries.len() as u64), &entries);
    debug_assert_eq!(written, entries.len());
    let first = |ram: &Ram| ram.regions().next().map(|region| region.host);
    let places = [(first(ram), TABLE), (first(traps), TABLE - PAGE)];
    for (slot, (host, start)) in SLOTS.into_iter().zip(places) {
        let Some(userspace_addr) = host else { continue };
        let slot = kvm_userspace_memory_region {
            slot,
            flags: 0,
            guest_phys_addr: start,
            memory_size: PAGE,
            userspace_addr,
        };
        // SAFETY: the host range is the first page of a mapping that outlives the VM's descriptor: the
        // caller, the `Vm`, keeps both.
        unsafe { fd.set_user_memory_region(slot) }
            .map_err(KvmError::ioctl("KVM_SET_USER_MEMORY_REGION"))?;
    }
    Ok(())
}

impl Vcpu {
    /// Before an entry: the interrupt table where KVM gets past all interrupts. A step needs it nowhere else.
    pub(super) fn place_table(&mut self) -> Result<(), KvmError> {
        let moves = self.moves_table && !self.armed.single_step && moves_table(&self.cpu);
        if moves == self.table_moved {
            return Ok(());
        }
        let mut sregs = self.fd.get_sregs().map_err(KvmError::ioctl("KVM_GET_SREGS"))?;
        sregs.idt.base = if moves { TABLE } else { self.cpu.idtr.base };
        self.fd.set_sregs(&sregs).map_err(KvmError::ioctl("KVM_SET_SREGS"))?;
        self.table_moved = moves;
        self.trap_flag_set = false;
        self.arm(self.armed)
    }

    /// Where the guest has its table, after KVM has told where that is.
    pub(super) fn show_table(&mut self) {
        self.table_moved = self.cpu.idtr.base == TABLE;
        if self.table_moved {
            self.cpu.idtr.base = 0;
        }
    }

    /// The vector of an interrupt of real mode that KVM cannot lead to its handler: all else of it has
    /// happened. For [`super::Exit::InternalError`], after [`super::Vm::catch_high_interrupts`].
    #[must_use]
    pub fn trapped_interrupt(&self) -> Option<u8> {
        self.table_moved.then(|| trapped(&self.cpu)).flatten()
    }
}

/// Whether the table of a processor in this state is to be shown at [`TABLE`].
pub(super) fn moves_table(cpu: &CpuState) -> bool {
    cpu.cr0 & CR0_PE == 0 && cpu.idtr.base == 0
}

/// The vector of the interrupt that has led `cpu` to its trap.
fn trapped(cpu: &CpuState) -> Option<u8> {
    let vector = u8::try_from(cpu.rip).ok().filter(|vector| *vector >= 0x80);
    vector.filter(|_| moves_table(cpu) && cpu.segments.cs.selector == SELECTOR)
}

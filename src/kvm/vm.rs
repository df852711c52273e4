//! The VM: opening `/dev/kvm`, mapping RAM, coalesced MMIO.

use std::os::unix::fs::MetadataExt;

use kvm_bindings::{
    KVM_API_VERSION, KVM_CAP_EXIT_ON_EMULATION_FAILURE, KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2,
    kvm_enable_cap,
};
use kvm_ioctls::{Cap, IoEventAddress, Kvm, VmFd};

use super::probe::known_facts;
use super::slots::Slots;
use super::{KvmError, Vcpu, high_interrupts};
use crate::memory::{Ram, Region, layout};
use crate::x86::{Features, Phys};

/// Up to here a reset keeps the host's memory.
const FIRST_MEGABYTE: Phys = Phys(0x10_0000);

/// Path of the KVM device file.
const DEVICE: &str = "/dev/kvm";

/// One virtual machine: RAM slots and the bus options of KVM.
#[derive(Debug)]
pub struct Vm {
    // The RAM is dropped after the VM that maps it: fields drop in order.
    pub(super) fd: VmFd,
    pub(super) kvm: Kvm,
    pub(super) ram: Ram,
    pub(super) slots: Slots,
    /// Memory of [`high_interrupts`].
    traps: Option<Ram>,
    /// KVM logs which pages the guest writes.
    pub(super) logs_dirty_pages: bool,
}

impl Vm {
    /// Makes a VM whose RAM is `ram`, once it has its vCPU.
    ///
    /// # Errors
    /// `/dev/kvm` missing or not permitted, a KVM without what the machine needs, or a failed ioctl.
    pub fn new(ram: Ram) -> Result<Vm, KvmError> {
        let kvm = open()?;
        let fd = create_vm(&kvm).map_err(KvmError::ioctl("KVM_CREATE_VM"))?;
        report_refused_instructions(&kvm, &fd)?;
        fd.set_identity_map_address(layout::KVM_IDENTITY_MAP)
            .map_err(KvmError::ioctl("KVM_SET_IDENTITY_MAP_ADDR"))?;
        fd.set_tss_address(layout::KVM_TSS as usize)
            .map_err(KvmError::ioctl("KVM_SET_TSS_ADDR"))?;
        let logs_dirty_pages = loses_registers(&kvm);
        Ok(Vm { fd, kvm, ram, slots: Slots::default(), traps: None, logs_dirty_pages })
    }

    /// The RAM of the VM.
    #[must_use]
    pub fn ram(&self) -> &Ram {
        &self.ram
    }

    /// Fills all RAM with zeros, as at power-on. ROM is kept.
    pub fn clear_ram(&self) {
        for region in self.ram.writable_regions() {
            // The host's memory behind it is given back: to look at every page takes far longer. But the first megabyte
            // is kept, where stacks are: kvm-intel may lose the debug exception of a guest with TF set whose frame goes
            // to a page that has no memory behind it yet.
            if region.start < FIRST_MEGABYTE || !discard(region) {
                self.ram.clear(region);
            }
        }
    }

    /// Lets KVM queue guest writes to `size` bytes from `start` instead of leaving the guest for each.
    /// The queue is the vCPU's, see [`Vcpu::next_coalesced_write`].
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn coalesce_writes(&self, start: Phys, size: u32) -> Result<(), KvmError> {
        self.fd
            .register_coalesced_mmio(IoEventAddress::Mmio(start.0), size)
            .map_err(KvmError::ioctl("KVM_REGISTER_COALESCED_MMIO"))
    }

    /// Ends [`Vm::coalesce_writes`] for the same range.
    ///
    /// # Errors
    /// The ioctl failed.
    pub fn report_writes(&self, start: Phys, size: u32) -> Result<(), KvmError> {
        self.fd
            .unregister_coalesced_mmio(IoEventAddress::Mmio(start.0), size)
            .map_err(KvmError::ioctl("KVM_UNREGISTER_COALESCED_MMIO"))
    }

    /// Makes the one vCPU, with every CPU feature the host's KVM supports. Software KVMs offer more than
    /// they say, whatever they are told: all that ring 3, which they run natively, has got. On those, writes of EFER and
    /// LSTAR are reported.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn create_vcpu(&mut self) -> Result<Vcpu, KvmError> {
        let mut cpuid = self
            .kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(KvmError::ioctl("KVM_GET_SUPPORTED_CPUID"))?;
        cpuid.as_mut_slice().iter_mut().for_each(hide_local_apic);
        let fd = self.fd.create_vcpu(0).map_err(KvmError::ioctl("KVM_CREATE_VCPU"))?;
        fd.set_cpuid2(&cpuid).map_err(KvmError::ioctl("KVM_SET_CPUID2"))?;
        let offered =
            fd.get_cpuid2(KVM_MAX_CPUID_ENTRIES).map_err(KvmError::ioctl("KVM_GET_CPUID2"))?;
        let features = (features(cpuid.as_slice()), features(offered.as_slice()));
        let may_be_software = features.0 != features.1;
        if may_be_software {
            // Before there is memory: behind a change of the slots the kernel takes 15 ms for it.
            self.report_msr_writes()?;
        }
        self.place_slots()?;
        Vcpu::new(&self.fd, fd, features.1, may_be_software)
    }

    /// Lets `vcpu` get past interrupts of real mode that some software KVMs never get past; see
    /// [`Vcpu::trapped_interrupt`]. `memory` is for this alone; a page is enough.
    ///
    /// # Errors
    /// A failed ioctl.
    pub fn catch_high_interrupts(&mut self, vcpu: &mut Vcpu, memory: Ram) -> Result<(), KvmError> {
        let traps = self.traps.insert(memory);
        high_interrupts::map(&self.fd, &self.ram, traps)?;
        vcpu.moves_table = true;
        Ok(())
    }
}

/// Has the host take back the pages behind `region`, which reads as zeros then; whether it has.
fn discard(region: Region) -> bool {
    let Ok(len) = usize::try_from(region.size) else { return false };
    // SAFETY: the range is part of a private anonymous mapping of `ram`, whose contents are the guest's alone: no
    // reference to them exists, and losing them is what was asked for.
    unsafe { libc::madvise(region.host as *mut libc::c_void, len, libc::MADV_DONTNEED) == 0 }
}

/// There is no local APIC: CPUID names neither it nor its modes, and its number is 0, where KVM gives that of the host's
/// processor which happens to be asked (SDM vol. 2A, CPUID; APM vol. 3, E.4.1; api.rst, 4.46
/// "KVM_GET_SUPPORTED_CPUID").
fn hide_local_apic(entry: &mut kvm_cpuid_entry2) {
    const APIC: u32 = 1 << 9;
    const X2APIC_AND_DEADLINE: u32 = 1 << 21 | 1 << 24;
    const INITIAL_ID: u32 = 0xff << 24;
    match entry.function {
        1 => {
            entry.edx &= !APIC;
            entry.ecx &= !X2APIC_AND_DEADLINE;
            entry.ebx &= !INITIAL_ID;
        }
        0xb | 0x1f => entry.edx = 0,
        0x8000_0001 => entry.edx &= !APIC,
        0x8000_001e => entry.eax = 0,
        _ => {}
    }
}

/// What the guest's CPUID answers.
fn features(cpuid: &[kvm_cpuid_entry2]) -> Features {
    Features::from_cpuid(|leaf| {
        let entry = cpuid.iter().find(|entry| (entry.function, entry.index) == (leaf, 0));
        entry.map_or([0; 4], |entry| [entry.eax, entry.ebx, entry.ecx, entry.edx])
    })
}

/// Capabilities that no machine can do without, by their names without KVM_CAP_.
pub(super) const NEEDED: [(Cap, &str); 6] = [
    (Cap::UserMemory, "USER_MEMORY"),
    (Cap::ImmediateExit, "IMMEDIATE_EXIT"),
    (Cap::SetGuestDebug, "SET_GUEST_DEBUG"),
    (Cap::CoalescedMmio, "COALESCED_MMIO"),
    (Cap::SyncRegs, "SYNC_REGS"),
    (Cap::Xsave, "XSAVE"),
];

/// Makes a VM. A signal of any kind makes that fail, and is no reason not to try again: a ^C, or one of the kicks
/// and deadlines that come while the host is being probed.
fn create_vm(kvm: &Kvm) -> Result<VmFd, kvm_ioctls::Error> {
    const ATTEMPTS: u32 = 100;
    for _ in 1..ATTEMPTS {
        match kvm.create_vm() {
            Err(error) if error.errno() == libc::EINTR => {}
            made => return made,
        }
    }
    kvm.create_vm()
}

/// Lets KVM leave the guest for every instruction that its emulator does not know. Without that it
/// raises #UD outside ring 0, and in ring 0 it does so on top of leaving (api.rst, 7.35). Kernels before
/// Linux 5.14 cannot.
fn report_refused_instructions(kvm: &Kvm, fd: &VmFd) -> Result<(), KvmError> {
    if kvm.check_extension_raw(KVM_CAP_EXIT_ON_EMULATION_FAILURE.into()) <= 0 {
        return Ok(());
    }
    let cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE;
    let cap = kvm_enable_cap { cap, args: [1, 0, 0, 0], ..Default::default() };
    fd.enable_cap(&cap).map_err(KvmError::ioctl("KVM_ENABLE_CAP"))
}

/// Whether a shutdown may destroy the guest's registers here, as far as that is known: by the maker of the
/// processor until somebody has asked the host.
fn loses_registers(kvm: &Kvm) -> bool {
    if let Some(facts) = known_facts() {
        return facts.shutdown_resets;
    }
    let cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES);
    cpuid.is_ok_and(|cpuid| !features(cpuid.as_slice()).is_intel())
}

/// Opens `/dev/kvm` and checks what no machine can do without.
pub(super) fn open() -> Result<Kvm, KvmError> {
    let kvm = Kvm::new().map_err(|errno| match errno.errno() {
        libc::ENOENT | libc::ENODEV | libc::ENXIO => KvmError::Missing,
        libc::EACCES | libc::EPERM => not_permitted(),
        _ => KvmError::Open(errno),
    })?;
    let version = kvm.get_api_version();
    if i32::try_from(KVM_API_VERSION) != Ok(version) {
        return Err(KvmError::ApiVersion(version));
    }
    match NEEDED.into_iter().find(|(cap, _)| !kvm.check_extension(*cap)) {
        Some((_, name)) => Err(KvmError::Capability(name)),
        None => Ok(kvm),
    }
}

/// The error for a user who may not open `/dev/kvm`: what would let them.
fn not_permitted() -> KvmError {
    let gid = std::fs::metadata(DEVICE).map_or(0, |metadata| metadata.gid());
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == gid.to_string()).then(|| name.to_owned())
    });
    // Of root's group nobody should be; udev's rule would have given the device to `kvm`.
    match name.filter(|name| name != "root") {
        Some(group) => KvmError::NotPermitted { group, owned: true },
        None => KvmError::NotPermitted { group: "kvm".to_owned(), owned: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_not_told_which_of_the_hosts_processors_was_asked() {
        let told = |function| {
            let mut entry = kvm_cpuid_entry2 {
                function,
                eax: 3,
                ebx: 0x0302_0800,
                edx: 3,
                ..Default::default()
            };
            hide_local_apic(&mut entry);
            [entry.eax, entry.ebx, entry.edx]
        };
        assert_eq!(told(1), [3, 0x0002_0800, 3]);
        assert_eq!([told(0xb), told(0x1f)], [[3, 0x0302_0800, 0]; 2]);
        assert_eq!(told(0x8000_001e), [0, 0x0302_0800, 3]);
        assert_eq!(told(2), [3, 0x0302_0800, 3]);
    }
}

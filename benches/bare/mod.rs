//! The least that boots a guest: the loop that a teaching VMM has, straight on KVM. It is the measure
//! for the machine, which does more.
//!
//! Every write to video memory leaves the guest, and every step arms the trap flag and fetches the
//! registers (KVM API, 4.87 and 5). Errors end the benchmark.

#![allow(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic)]

use kvm_bindings::{
    KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP, kvm_guest_debug, kvm_userspace_memory_region,
};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use vm_memory::MmapRegion;

/// RAM ends where video memory begins.
const RAM_SIZE: usize = 0xa_0000;
const VIDEO: u64 = 0xb_8000;

/// A guest at address 0 and the loop around it.
pub struct Bare {
    // Closed before the memory that they map: fields drop in order.
    vcpu: VcpuFd,
    _vm: VmFd,
    _ram: MmapRegion,
    video: [u8; 0x8000],
}

impl Bare {
    /// Loads `image` at address 0.
    pub fn new(image: &[u8]) -> Bare {
        let vm = Kvm::new().expect("/dev/kvm").create_vm().expect("KVM_CREATE_VM");
        vm.set_tss_address(0xfffb_d000).expect("KVM_SET_TSS_ADDR");
        let ram = MmapRegion::<()>::new(RAM_SIZE).expect("memory");
        assert!(image.len() <= RAM_SIZE, "the image is larger than memory");
        // SAFETY: the mapping is RAM_SIZE bytes of ours, which nobody else refers to yet.
        unsafe { std::ptr::copy_nonoverlapping(image.as_ptr(), ram.as_ptr(), image.len()) };
        let slot = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: 0,
            memory_size: RAM_SIZE as u64,
            userspace_addr: ram.as_ptr() as u64,
        };
        // SAFETY: the range is the mapping, which outlives the VM, and it is the only slot.
        unsafe { vm.set_user_memory_region(slot) }.expect("KVM_SET_USER_MEMORY_REGION");
        let vcpu = vm.create_vcpu(0).expect("KVM_CREATE_VCPU");
        let mut bare = Bare { vcpu, _vm: vm, _ram: ram, video: [0; 0x8000] };
        bare.restart();
        bare
    }

    /// Back to 0000:0000.
    pub fn restart(&mut self) {
        let mut sregs = self.vcpu.get_sregs().expect("KVM_GET_SREGS");
        sregs.cs.selector = 0;
        sregs.cs.base = 0;
        self.vcpu.set_sregs(&sregs).expect("KVM_SET_SREGS");
        let mut regs = self.vcpu.get_regs().expect("KVM_GET_REGS");
        regs.rip = 0;
        regs.rsp = 0x8000;
        regs.rflags = 2;
        self.vcpu.set_regs(&regs).expect("KVM_SET_REGS");
    }

    /// Runs the guest to its HLT; says how often it left the guest.
    pub fn run(&mut self) -> u64 {
        let mut exits = 0;
        loop {
            exits += 1;
            match self.vcpu.run().expect("KVM_RUN") {
                VcpuExit::MmioWrite(addr, data) => {
                    for (offset, byte) in (addr - VIDEO..).zip(data) {
                        self.video[offset as usize] = *byte;
                    }
                }
                VcpuExit::IoOut(..) => {}
                VcpuExit::Hlt => return exits,
                other => panic!("the guest left by {other:?}"),
            }
        }
    }

    /// Executes one instruction; says where the next one is.
    pub fn step(&mut self) -> u64 {
        let control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
        let debug = kvm_guest_debug { control, ..Default::default() };
        self.vcpu.set_guest_debug(&debug).expect("KVM_SET_GUEST_DEBUG");
        match self.vcpu.run().expect("KVM_RUN") {
            VcpuExit::Debug(_) => {}
            other => panic!("the guest left a step by {other:?}"),
        }
        self.vcpu.get_regs().expect("KVM_GET_REGS").rip
    }

    /// What the guest wrote to video memory.
    pub fn video(&self) -> &[u8] {
        &self.video
    }
}

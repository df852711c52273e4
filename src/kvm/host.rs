//! What this host's KVM says of itself: API version and capabilities. For reports only: what it does is the
//! probe's business.

use kvm_ioctls::{Cap, Kvm};
use serde::Serialize;

use super::{KvmError, vm};

/// One capability (api.rst, KVM_CHECK_EXTENSION).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Capability {
    /// Its name without KVM_CAP_.
    pub name: &'static str,
    /// KVM has it.
    pub present: bool,
    /// No machine can do without it.
    pub needed: bool,
}

/// What KVM says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// KVM_GET_API_VERSION.
    pub api_version: i32,
    /// The capabilities that a machine or a debugger might use.
    pub capabilities: Vec<Capability>,
}

/// Capabilities that are of interest besides those in [`vm::NEEDED`].
const OF_INTEREST: [(Cap, &str); 6] = [
    (Cap::DebugHwBps, "GUEST_DEBUG_HW_BPS"),
    (Cap::Debugregs, "DEBUGREGS"),
    (Cap::ReadonlyMem, "READONLY_MEM"),
    (Cap::TscControl, "TSC_CONTROL"),
    (Cap::VcpuEvents, "VCPU_EVENTS"),
    (Cap::X86UserSpaceMsr, "X86_USER_SPACE_MSR"),
];

/// Opens `/dev/kvm` and asks.
///
/// # Errors
/// It is missing, not permitted, or lacks what a machine needs.
pub fn claims() -> Result<Claims, KvmError> {
    let kvm = vm::open()?;
    let ask = |kvm: &Kvm, cap, name, needed| Capability {
        name,
        present: kvm.check_extension(cap),
        needed,
    };
    let needed = vm::NEEDED.iter().map(|(cap, name)| ask(&kvm, *cap, *name, true));
    let others = OF_INTEREST.iter().map(|(cap, name)| ask(&kvm, *cap, *name, false));
    let capabilities = needed.chain(others).collect();
    Ok(Claims { api_version: kvm.get_api_version(), capabilities })
}

//! What a plan depends on, looked up in the machine, and what it changes there.

use super::{DebugPlan, Place, Situation};
use crate::kvm::{KvmError, probe};
use crate::machine::{BreakpointSet, Machine, Watch};
use crate::memory::Stretch;
use crate::x86::debug::OwnBreakpoints;
use crate::x86::registers::{EFER_LME, EFER_SCE};
use crate::x86::{CpuMode, Linear, Phys, Segment, instruction};

/// Pages of a watched range that are looked up; of a longer one it is not known where it is.
const MAX_PIECES: usize = 256;

impl Machine {
    /// How the machine watches for what the user has set, as things are now. Finds out about the host when
    /// there is something to watch for.
    ///
    /// # Errors
    /// The host's KVM cannot be probed.
    pub fn plan(&self) -> Result<DebugPlan, KvmError> {
        self.plan_for(&self.breakpoints)
    }

    /// The same for `set`, whether or not it is set.
    ///
    /// # Errors
    /// The host's KVM cannot be probed.
    pub fn plan_for(&self, set: &BreakpointSet) -> Result<DebugPlan, KvmError> {
        let plan = self.plan_for_breakpoints(set)?;
        let steps = self.stop_on.needs_steps() || self.stops_at_mode_switch;
        Ok(if steps { plan.stepped() } else { plan })
    }

    fn plan_for_breakpoints(&self, set: &BreakpointSet) -> Result<DebugPlan, KvmError> {
        if set.is_empty() {
            return Ok(DebugPlan::NOTHING);
        }
        let facts = probe::host_facts()?;
        let cpu = self.vcpu.cpu();
        let situation = Situation {
            own_breakpoints: self.has_own_breakpoints()?,
            loads_of_ss: if facts.step.load_ss_shadow { self.loads_of_ss(set) } else { Vec::new() },
            mode: cpu.mode(),
            ring3: cpu.efer & EFER_LME != 0 && self.ring3_is_reachable(),
            places: set.watches().iter().map(|watch| self.place(watch)).collect(),
        };
        Ok(DebugPlan::new(set, facts, &situation))
    }

    /// Whether the guest has breakpoints of its own in the debug registers.
    pub(in crate::machine) fn has_own_breakpoints(&self) -> Result<bool, KvmError> {
        Ok(OwnBreakpoints(&self.vcpu.debug_registers()?).any())
    }

    /// Remembers what is set as the guest goes on. Of a client that takes out the breakpoint at the next
    /// instruction for a step, as `steps` tells, that one is remembered as well.
    pub fn remember_breakpoints(&mut self, steps: bool) {
        let pc = self.vcpu.cpu().pc();
        let taken_out = steps && self.remembered.contains(pc) && !self.breakpoints.contains(pc);
        if self.remembered != self.breakpoints {
            self.remembered = self.breakpoints.clone();
        }
        if taken_out {
            self.remembered.insert(pc);
        }
    }

    /// What was set when the guest last went on, as [`Machine::remember_breakpoints`] was told.
    #[must_use]
    pub fn remembered_breakpoints(&self) -> &BreakpointSet {
        &self.remembered
    }

    /// Tells the user once that the guest is stepped from here on, and why.
    pub(in crate::machine) fn tell_slow(&mut self, plan: &DebugPlan) {
        if let Some(why) = plan.slow()
            && !std::mem::replace(&mut self.told_slow, true)
        {
            self.observer.notice(&format!(
                "the guest runs instruction by instruction now, tens of times slower: {why} \
                 (`monitor plan` tells more)"
            ));
        }
    }

    /// Where a watched range is, piece by piece; what is not mapped is left out, and the rest of a very long
    /// one. The flag says whether anything was.
    pub(in crate::machine) fn watched_pieces(&self, watch: &Watch) -> (Vec<(Phys, u64)>, bool) {
        let mut pieces = Vec::new();
        let mut done = 0;
        while done < watch.len {
            if pieces.len() == MAX_PIECES {
                return (pieces, true);
            }
            let Ok(translation) = self.translate(watch.addr.offset(done)) else {
                return (pieces, true);
            };
            let len = translation.remaining.min(watch.len - done).max(1);
            pieces.push((translation.phys, len));
            done += len;
        }
        (pieces, false)
    }

    fn place(&self, watch: &Watch) -> Place {
        let (pieces, left_out) = self.watched_pieces(watch);
        let mut ram = 0;
        let mut device = 0;
        for (phys, len) in &pieces {
            let end = phys.0.saturating_add(*len);
            let overlap = |region: crate::memory::Region| {
                let region_end = region.start.0 + region.size;
                region_end.min(end).saturating_sub(region.start.0.max(phys.0))
            };
            // ROM is read like RAM and written like a device.
            let in_rom = |stretch: &Stretch| stretch.read_only && overlap(stretch.region) > 0;
            if self.vm.ram().stretches().iter().any(in_rom) {
                return Place::Mixed;
            }
            let in_ram: u64 = self.vm.ram().regions().map(overlap).sum();
            ram += in_ram;
            device += len - in_ram;
        }
        match (left_out, ram, device) {
            (false, _, 0) => Place::Ram,
            (false, 0, _) => Place::Device,
            _ => Place::Mixed,
        }
    }

    /// The instructions that may be loads of SS, each right before a breakpoint. Some may only look like one in
    /// another mode: a stop too many, which nobody notices.
    fn loads_of_ss(&self, set: &BreakpointSet) -> Vec<Linear> {
        let before = |addr: Linear| {
            let mut bytes = [0; instruction::MAX_LEN];
            let start = addr.0.checked_sub(bytes.len() as u64)?;
            let read = self.read_linear(Linear(start), &mut bytes) == bytes.len();
            let len = read.then(|| instruction::load_of_ss_at_end(&bytes)).flatten()?;
            Some(Linear(addr.0 - len as u64))
        };
        set.addresses().filter_map(before).collect()
    }

    /// Whether the guest is in ring 3, or could get there with its descriptor tables as they are.
    fn ring3_is_reachable(&self) -> bool {
        let cpu = self.vcpu.cpu();
        if cpu.cpl() == 3 || cpu.efer & EFER_SCE != 0 || cpu.ldtr.selector & !3 != 0 {
            return true;
        }
        // What a reset leaves is no table: the interrupt vectors of real mode and whatever is behind them.
        let of_reset =
            cpu.mode() == CpuMode::Real && (cpu.gdtr.base, cpu.gdtr.limit) == (0, 0xffff);
        if of_reset {
            return false;
        }
        let mut table = vec![0; usize::from(cpu.gdtr.limit) + 1];
        let read = self.read_linear(Linear(cpu.gdtr.base), &mut table);
        table[..read].as_chunks().0.iter().any(|bytes| {
            let access = Segment::from_descriptor(0, u64::from_le_bytes(*bytes)).access;
            access.present && access.is_code() && access.dpl == 3
        })
    }
}

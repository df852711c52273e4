//! A guest that waits in HLT: what it waits for, whether that can come, and how the host sleeps meanwhile.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::firmware::{DATA, FIRST_PIC, KEYBOARD_SERVICE, VECTORS};
use super::interrupts::Look;
use super::stop_on::catchpoint::Entry;
use super::{Catchpoint, Clock, Machine, StopReason, Watch};
use crate::bios::{self, rom};
use crate::kvm::KvmError;
use crate::x86::{CpuMode, Gpr, Linear, SegmentName};

/// Interrupts that come by themselves: of the timer, for the user, of the clock, and its alarm.
const TICKS: [u8; 4] = [TIMER, USER_TIMER, 0x70, 0x4a];
const TIMER: u8 = 0x08;
const USER_TIMER: u8 = 0x1c;

/// What a halted guest waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// An interrupt by which it gets on.
    Use,
    /// Any interrupt: somebody wants to see its handler.
    Handler,
}

impl Machine {
    /// The processor is halted: waits for an interrupt and delivers it. Gives the stop if none can come, if somebody
    /// kicks, or if the delivery itself ends the run.
    pub(super) fn wait_in_halt(&mut self, for_what: Wait) -> Result<Option<StopReason>, KvmError> {
        let mut asleep = false;
        let end = self.wait_asleep(for_what, &mut asleep);
        if asleep {
            self.observer.wakes();
        }
        end
    }

    fn wait_asleep(
        &mut self,
        for_what: Wait,
        asleep: &mut bool,
    ) -> Result<Option<StopReason>, KvmError> {
        loop {
            self.pass_wall_time();
            self.feed_serial();
            if !self.takes_interrupts() || !self.may_interrupt() {
                return Ok(Some(self.halted_stop()));
            }
            self.let_key_come();
            if self.devices.chipset().interrupt() {
                if for_what == Wait::Use && self.is_tick_for_firmware() {
                    self.tick_in_wait()?;
                    if self.vcpu.take_kick() {
                        return Ok(Some(StopReason::Kicked));
                    }
                    continue;
                }
                return Ok(match self.take_interrupt()? {
                    Look::Stop(stop) => Some(stop),
                    _ => None,
                });
            }
            if self.vcpu.take_kick() {
                return Ok(Some(StopReason::Kicked));
            }
            if for_what == Wait::Use && self.is_idle_for_good() {
                return Ok(Some(self.halted_stop()));
            }
            let next = self.devices.chipset().next_interrupt();
            let left = next.map(|at| at.0.saturating_sub(self.devices.now().0));
            match (left, self.clock()) {
                (None, _) if self.expects_input() || self.may_hear_serial() => {
                    self.sleep(None, asleep);
                }
                (None, _) => return Ok(Some(self.halted_stop())),
                (Some(left), Clock::Wall) => {
                    self.sleep(Some(Duration::from_nanos(left)), asleep);
                }
                (Some(left), Clock::Virtual) if self.expects_input() => {
                    // Time that runs ahead of the person in front of the guest is of no use, and never stops.
                    let began = Instant::now();
                    self.sleep(Some(Duration::from_nanos(left)), asleep);
                    let slept = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    self.devices.pass(slept.clamp(1, left.max(1)));
                }
                (Some(left), Clock::Virtual) => self.devices.pass(left.max(1)),
            }
        }
    }

    /// Sleeps for `time`, or for ever, or until a kick; says so once, unless the guest is `asleep` already.
    fn sleep(&mut self, time: Option<Duration>, asleep: &mut bool) {
        if !std::mem::replace(asleep, true) {
            // It would wake the host again and again.
            self.stop_alarm();
            let devices = &self.devices;
            self.observer.sleeps(&|| devices.frame());
        }
        self.vcpu.sleep(time);
    }

    /// Whether a guest that waits for a key may ever go on: a key is on its way, somebody may type one, or the guest
    /// itself does something at each tick.
    pub(super) fn may_get_key(&self) -> bool {
        let keyboard = self.devices.chipset().keyboard();
        let on_its_way = keyboard.waiting_keys() > 0
            || keyboard.has_output()
            || self.devices.chipset().has_timed_keys();
        on_its_way
            || self.expects_input()
            || self.may_hear_serial()
            || TICKS.iter().any(|vector| self.hooks(*vector))
    }

    /// Whether the halted guest, behind its HLT, only jumps back to that, and nothing but the firmware's own handlers
    /// will wake it.
    fn is_idle_for_good(&self) -> bool {
        const HLT: u8 = 0xf4;
        const SHORT_JUMP: u8 = 0xeb;
        const NEAR_JUMP: u8 = 0xe9;
        /// More than anybody takes to jump a few bytes back.
        const JUMPS: usize = 4;
        let cpu = self.vcpu.cpu();
        let calls_firmware = self.devices.chipset().pics().first_vectors() == VECTORS;
        if !self.firmware || cpu.mode() != CpuMode::Real || !calls_firmware || self.may_get_key() {
            return false;
        }
        let hlt = Linear(cpu.pc().0.wrapping_sub(1));
        let mut way = vec![hlt];
        let mut there = cpu.clone();
        for _ in 0..JUMPS {
            way.push(there.pc());
            let mut code = [0; 3];
            let _ = self.read_linear(there.pc(), &mut code);
            let (len, distance) = match code {
                [SHORT_JUMP, by, _] => (2, i64::from(by.cast_signed())),
                [NEAR_JUMP, low, high] => (3, i64::from(i16::from_le_bytes([low, high]))),
                _ => return false,
            };
            there.rip = there.rip.wrapping_add(len).wrapping_add_signed(distance) & 0xffff;
            if there.pc() == hlt {
                let mut code = [0];
                let is_hlt = self.read_linear(hlt, &mut code) == 1 && code == [HLT];
                return is_hlt && !self.is_tick_watched(&way);
            }
        }
        false
    }

    /// Whether a tick would hit something that the user has set: a breakpoint in the firmware's handlers or on the `way`
    /// back to the HLT, a watchpoint on the vectors, the data area or the stack, a catchpoint on what the handlers do.
    fn is_tick_watched(&self, way: &[Linear]) -> bool {
        /// More than the handlers push.
        const PUSHED: u64 = 0x80;
        let cpu = self.vcpu.cpu();
        let rom = rom::START.0..rom::START.0 + rom::SIZE as u64;
        let in_way = |at: Linear| rom.contains(&at.0) || way.contains(&at);
        let top = cpu.linear(SegmentName::Ss, cpu.get(Gpr::Rsp)).0;
        let stack = top.saturating_sub(PUSHED)..top;
        let touched = |watch: &Watch| {
            let overlaps = |range: &Range<u64>| {
                watch.addr.0 < range.end && range.start < watch.addr.0.saturating_add(watch.len)
            };
            overlaps(&DATA) || overlaps(&stack)
        };
        let caught = |entry: &Entry| match &entry.catchpoint {
            Catchpoint::Interrupt { vector, .. } => *vector == USER_TIMER,
            Catchpoint::Port { ports, .. } => ports.contains(&FIRST_PIC),
            Catchpoint::ModeSwitch => false,
        };
        self.breakpoints.addresses().any(in_way)
            || self.breakpoints.watches().iter().any(touched)
            || self.stop_on.catchpoints.iter().any(caught)
    }

    /// Whether the interrupt that is requested is the timer's, of a guest that waits for a key in the firmware and has
    /// left that the handler: nothing will change but the time, and somebody waits in front of a terminal.
    fn is_tick_for_firmware(&self) -> bool {
        let cpu = self.vcpu.cpu();
        let waits = self.firmware
            && cpu.mode() == CpuMode::Real
            && cpu.segments.cs.base == u64::from(rom::SEGMENT) << 4
            && rom::waits_at((cpu.rip & 0xffff) as u16) == Some(KEYBOARD_SERVICE);
        let pics = self.devices.chipset().pics();
        let is_tick = pics.requested() == Some(0) && pics.first_vectors() == VECTORS;
        let is_ours = ![TIMER, USER_TIMER].iter().any(|vector| self.hooks(*vector));
        waits
            && is_tick
            && is_ours
            && (self.clock() == Clock::Wall || self.expects_input())
            && bios::keyboard::is_empty(self.vm.ram())
            && !self.is_observed()
    }

    /// Whether somebody looks at each instruction or access of the guest, or at some of them.
    fn is_observed(&self) -> bool {
        !self.breakpoints.is_empty()
            || self.stop_on.needs_steps()
            || !self.stop_on.catchpoints.is_empty()
            || self.stops_at_mode_switch
            || self.trace.is_some()
            || self.record.is_kept()
    }

    /// The firmware's handler of the timer, without the processor, which stays halted.
    fn tick_in_wait(&mut self) -> Result<(), KvmError> {
        self.devices.chipset_mut().acknowledge();
        self.stats.interrupts += 1;
        let mut cpu = self.vcpu.cpu().clone();
        bios::timer::handle_tick(&mut self.lend(&mut cpu));
        self.note_interruption()
    }
}

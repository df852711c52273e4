//! Hardware interrupts: from the interrupt controllers to the processor (SDM vol. 3A, 6.8; Intel 8259A data sheet).
//!
//! The machine delivers them itself, as it does INT n where KVM cannot: at an instruction boundary, by
//! [`crate::emulator::deliver`], so that they are the same on every host, and watchpoints and breakpoints see them. Before
//! each entry it looks whether one is requested. If the guest does not take interrupts just then, KVM is asked to
//! leave it as soon as it does. Software KVMs notice that only at their next entry: there the guest is stepped for a
//! while, `MOST_STEPS` for each interrupt, and then a deadline has the machine look again.
//!
//! **When** they come is the clock's business. By the wall clock a deadline ends the entry when the next one is due. By
//! virtual time, which passes with accesses to ports, they come behind such an access, in HLT, or where the guest enables
//! them: at the same instruction in every run. A guest that works on without any of these has time jump to the next
//! one after `PATIENCE` of the host's work or `PATIENCE_IN_STEPS` steps; where exactly that is depends on
//! the host in the first case.
//!
//! **While a user steps** none is delivered, unless they want it: see [`Interrupts`].

use std::time::Duration;

use super::{Clock, Machine, StopReason};
use crate::devices::clock::Time;
use crate::emulator::{Delivery, Event};
use crate::kvm::deadline::work_time;
use crate::kvm::vcpu::Completion;
use crate::kvm::{Deadline, Exit, KvmError};
use crate::x86::instruction;
use crate::x86::registers::{RFLAGS_IF, RFLAGS_RF};

/// How long a guest may work, by virtual time, without giving that any time to pass.
const PATIENCE: Duration = Duration::from_millis(5);
/// The same for a guest that is stepped.
const PATIENCE_IN_STEPS: u64 = 2_000;
/// So many steps are made on software KVMs to the moment at which the guest takes a waiting interrupt: enough for most
/// handlers and critical sections.
const MOST_STEPS: u32 = 500;
/// How long until a look that was in vain, because the signal came just before the entry, is repeated.
const AGAIN: Duration = Duration::from_millis(1);

/// When interrupts from devices are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interrupts {
    /// While the guest runs, not while it is stepped: a step stays in the code that it began in.
    #[default]
    Auto,
    /// Always: a step may lead into a handler.
    On,
    /// Never. They wait.
    Off,
}

/// What the machine keeps of interrupts.
#[derive(Debug, Default)]
pub(super) struct State {
    wish: Interrupts,
    /// A user steps.
    stepping: bool,
    /// Somebody may type or send at any time: a guest that waits for that is not left halted for good.
    expects_input: bool,
    /// By the wall clock: the deadline, and the moment that it is set to.
    alarm: Option<Deadline>,
    alarm_at: Option<Time>,
    /// What the alarm is set to is right still: the guest has touched none of the chips.
    alarm_is_right: bool,
    /// By virtual time: the deadline that notices a guest which works on.
    patience: Option<Deadline>,
    has_patience: bool,
    /// Accesses to ports, and the work of the host, when time last passed.
    last_access: (u64, Duration),
    /// Accesses to ports so far, and the steps since the last.
    accesses: u64,
    steps: u64,
    /// The guest has asked its firmware for a key, and there was none.
    pub(super) asks_for_key: bool,
    /// The guest itself reads the keyboard's port, where it sees keys go down and up.
    pub(super) reads_keyboard: bool,
    /// Steps made while one waited.
    waited: u32,
    /// The one whose delivery has shut the processor down.
    pub(super) fatal: Option<Event>,
}

/// What came of a look for an interrupt.
#[derive(Debug)]
pub(super) enum Look {
    /// None is taken.
    Nothing,
    /// The processor is at the first instruction of the handler.
    Entered,
    /// None is taken, and an instruction that holds them back has been executed.
    Stepped,
    /// The run has to end.
    Stop(StopReason),
    /// None is taken yet: what was going on has to end first, and has come to another exit.
    Exit(Exit),
}

impl Machine {
    /// When interrupts from devices are delivered.
    #[must_use]
    pub fn interrupts(&self) -> Interrupts {
        self.interrupts.wish
    }

    /// Changes when interrupts from devices are delivered.
    pub fn set_interrupts(&mut self, wish: Interrupts) {
        self.interrupts.wish = wish;
    }

    /// Says whether somebody may type on the keyboard or send on a serial line while the guest runs, so that a guest
    /// which is halted, and takes interrupts, waits for that instead of being halted for good. At first nobody may.
    pub fn expect_input(&mut self, expects: bool) {
        self.interrupts.expects_input = expects;
        // Keys typed ahead keep to the pace of a person.
        let typed_ahead = self.typing != super::Typing::default();
        self.devices.chipset_mut().expect_typist(expects && !typed_ahead);
    }

    /// Whether somebody may type or send while the guest runs.
    pub(super) fn expects_input(&self) -> bool {
        self.interrupts.expects_input
    }

    /// A user steps, from now on or no more.
    pub(super) fn note_user_steps(&mut self, stepping: bool) {
        self.interrupts.stepping = stepping;
    }

    /// Whether interrupts may be delivered now as far as the user is concerned.
    pub(super) fn may_interrupt(&self) -> bool {
        let held = match self.interrupts.wish {
            Interrupts::Auto => self.interrupts.stepping,
            Interrupts::On => false,
            Interrupts::Off => true,
        };
        !held && !self.rerunning
    }

    pub(super) fn takes_interrupts(&self) -> bool {
        self.vcpu.cpu().rflags & RFLAGS_IF != 0
    }

    /// The guest has accessed `port`, for which time has passed.
    pub(super) fn note_port_access(&mut self, port: u16) {
        self.interrupts.accesses += 1;
        // Those of the interrupt controllers, of the timer, of the keyboard, of the clock and of the disks.
        if matches!(port, 0x1d..=0x21 | 0x3d..=0x43 | 0x5d..=0x64 | 0x6d..=0x71 | 0x9d..=0xa1 | 0x1ed..=0x1f7 | 0x3f3..=0x3f6)
        {
            self.interrupts.alarm_is_right = false;
        }
    }

    /// Before an entry: delivers the interrupt that is requested if the guest takes it. `unfinished` says that an
    /// access was served whose instruction has to end first.
    pub(super) fn look_for_interrupt(&mut self, unfinished: bool) -> Result<Look, KvmError> {
        if !self.may_interrupt() {
            return Ok(Look::Nothing);
        }
        let takes = self.takes_interrupts();
        if takes {
            self.let_key_come();
        }
        if !takes || !self.devices.chipset().interrupt() {
            return Ok(Look::Nothing);
        }
        if unfinished && let Completion::Exit(exit) = self.complete()? {
            return Ok(Look::Exit(exit));
        }
        // A signal may come before its handler is entered, which the guest would else find itself in much later.
        if self.vcpu.has_exception()? {
            return Ok(Look::Nothing);
        }
        if self.is_in_shadow()? {
            if unfinished && let Some(stop) = self.breakpoint_here() {
                return Ok(Look::Stop(stop));
            }
            let at = self.vcpu.cpu().pc();
            match self.step_noticing()? {
                StopReason::Stepped => {}
                stop => return Ok(Look::Stop(stop)),
            }
            // A user's step ends here, unless it would be at the same place again for ever.
            let ends = self.interrupts.stepping && self.vcpu.cpu().pc() != at;
            if ends || self.behind_load_of_ss || !self.takes_interrupts() {
                return Ok(self.breakpoint_here().map_or(Look::Stepped, Look::Stop));
            }
        }
        self.take_interrupt()
    }

    /// Behind a step off a breakpoint in a guest that runs: time passes as in steps, and the interrupt that is due
    /// comes.
    pub(super) fn let_interrupt_in(&mut self, accesses: u64) -> Result<StopReason, KvmError> {
        self.note_stepped(accesses);
        // Where one more instruction is to come first, its breakpoint is.
        if self.breakpoint_here().is_some() && self.is_in_shadow()? {
            return Ok(StopReason::Stepped);
        }
        Ok(match self.look_for_interrupt(false)? {
            // Going on begins with that.
            Look::Stop(StopReason::Breakpoint(_)) => StopReason::Stepped,
            Look::Stop(stop) => stop,
            Look::Nothing | Look::Entered | Look::Stepped | Look::Exit(_) => StopReason::Stepped,
        })
    }

    /// Whether the instruction before may hold interrupts back for the next one: STI, or a load of SS. That one may
    /// only look like it, which costs a step.
    fn is_in_shadow(&self) -> Result<bool, KvmError> {
        const STI: u8 = 0xfb;
        if self.behind_load_of_ss {
            return Ok(true);
        }
        let mut before = [0; instruction::MAX_LEN];
        let at = self.vcpu.cpu().pc().0.checked_sub(before.len() as u64);
        let read = at.map_or(0, |at| self.read_linear(crate::x86::Linear(at), &mut before));
        let seems = read == before.len()
            && (before.ends_with(&[STI]) || instruction::load_of_ss_at_end(&before).is_some());
        Ok(seems || self.vcpu.interrupt_shadow()?)
    }

    /// Acknowledges the interrupt that is requested, and delivers it.
    pub(super) fn take_interrupt(&mut self) -> Result<Look, KvmError> {
        let mode = self.vcpu.cpu().mode();
        let vector = self.devices.chipset_mut().acknowledge();
        let event = Event::external(vector, self.vcpu.cpu().rip);
        self.interrupts.alarm_is_right = false;
        self.interrupts.waited = 0;
        self.halted = false;
        if self.mid_rep.take() == Some(self.vcpu.cpu().pc()) {
            // The instruction is executed again afterwards, an instruction breakpoint on it does not hit again
            // (SDM vol. 3B, 18.3.1.1). A processor that is interrupted so itself has set it.
            let mut cpu = self.vcpu.cpu().clone();
            cpu.rflags |= RFLAGS_RF;
            self.vcpu.set_cpu(&cpu)?;
        }
        self.behind_load_of_ss = false;
        self.stats.interrupts += 1;
        let stop = self.watched(|machine| {
            let delivery = machine.deliver(event)?;
            machine.vcpu.end_shadows(false)?;
            Ok(match delivery {
                Ok(Delivery::Entered { .. }) => StopReason::Stepped,
                Ok(Delivery::Shutdown) => {
                    machine.interrupts.fatal = Some(event);
                    machine.shutdown_here()
                }
                // What this module cannot do, the processor may.
                Err(_) => {
                    machine.vcpu.inject_interrupt(vector)?;
                    StopReason::Stepped
                }
            })
        })?;
        self.pass_interrupt();
        self.note_interruption()?;
        if let Some(trace) = &mut self.trace {
            trace.interrupt(vector, &self.vcpu.cpu().location());
        }
        let stop = match stop {
            // Nothing looks again before the handler's first instruction runs.
            StopReason::Stepped => self
                .catch_mode_switch(mode)
                .or_else(|| self.catch_interrupt())
                .or_else(|| self.breakpoint_here()),
            stop => Some(stop),
        };
        Ok(stop.map_or(Look::Entered, Look::Stop))
    }

    /// Whether the guest is to be stepped until it takes the interrupt that waits.
    pub(super) fn steps_to_interrupt(&mut self) -> bool {
        let steps = self.vcpu.may_be_software()
            && self.interrupts.waited < MOST_STEPS
            && self.may_interrupt()
            && !self.takes_interrupts()
            // Which does not enable them itself.
            && self.vcpu.cpu().cpl() != 3
            && self.devices.chipset().interrupt();
        if steps && self.rep_here().is_some() {
            // That can be very many steps.
            self.interrupts.waited = MOST_STEPS;
            return false;
        }
        self.interrupts.waited += u32::from(steps);
        steps
    }

    /// Before an entry in which the guest runs freely: sees to it that the guest is left for the next interrupt.
    pub(super) fn prepare_to_interrupt(&mut self) -> Result<(), KvmError> {
        if !self.may_interrupt() {
            self.vcpu.request_interrupt_window(false);
            return Ok(());
        }
        // It is not taken at present.
        let waits = self.devices.chipset().interrupt();
        self.vcpu.request_interrupt_window(waits);
        match self.clock() {
            Clock::Wall => self.set_alarm(waits),
            Clock::Virtual => self.have_patience(),
        }
    }

    fn set_alarm(&mut self, waits: bool) -> Result<(), KvmError> {
        if !waits && self.interrupts.alarm_is_right {
            return Ok(());
        }
        let now = self.devices.now();
        let at = match waits {
            // KVM may forget to leave the guest when it takes interrupts again.
            true => Some(now.after(u64::try_from(AGAIN.as_nanos()).unwrap_or(u64::MAX))),
            false => self.devices.chipset().next_interrupt(),
        };
        self.interrupts.alarm_is_right = !waits;
        let set = self.interrupts.alarm_at;
        // One that waits is looked for every so often: the alarm repeats.
        if at == set || waits && set.is_some_and(|set| set > now && Some(set) <= at) {
            return Ok(());
        }
        let state = &mut self.interrupts;
        state.alarm_at = at;
        let Some(at) = at else {
            if let Some(alarm) = &mut state.alarm {
                alarm.stop();
            }
            return Ok(());
        };
        let alarm = match state.alarm.take() {
            Some(alarm) => alarm,
            None => Deadline::new()?,
        };
        let first = Duration::from_nanos(at.0.saturating_sub(now.0));
        state.alarm.insert(alarm).start_after(first, AGAIN);
        Ok(())
    }

    fn have_patience(&mut self) -> Result<(), KvmError> {
        if self.interrupts.has_patience {
            return Ok(());
        }
        let patience = match self.interrupts.patience.take() {
            Some(patience) => patience,
            None => Deadline::of_work()?,
        };
        self.interrupts.patience.insert(patience).start(PATIENCE);
        self.interrupts.has_patience = true;
        self.interrupts.last_access = (self.interrupts.accesses, work_time());
        Ok(())
    }

    /// A signal has ended the entry: lets the time come that the guest has been left for, if it was that.
    pub(super) fn note_signal(&mut self) {
        match self.clock() {
            Clock::Wall => {
                self.pass_wall_time();
                if self.interrupts.alarm_at.is_some_and(|at| at <= self.devices.now()) {
                    self.interrupts.alarm_at = None;
                    self.interrupts.alarm_is_right = false;
                }
            }
            Clock::Virtual => {
                let now = (self.interrupts.accesses, work_time());
                let (accesses, then) = self.interrupts.last_access;
                if now.0 != accesses {
                    self.interrupts.last_access = now;
                } else if now.1.saturating_sub(then) >= PATIENCE {
                    self.interrupts.last_access = now;
                    self.jump_to_interrupt();
                }
            }
        }
    }

    /// The guest has been stepped.
    pub(super) fn note_stepped(&mut self, accesses: u64) {
        match self.clock() {
            Clock::Wall => self.pass_wall_time(),
            Clock::Virtual if self.interrupts.accesses != accesses => self.interrupts.steps = 0,
            Clock::Virtual => {
                self.interrupts.steps += 1;
                if self.interrupts.steps >= PATIENCE_IN_STEPS {
                    self.interrupts.steps = 0;
                    self.jump_to_interrupt();
                }
            }
        }
    }

    /// Accesses to ports so far.
    pub(super) fn port_accesses(&self) -> u64 {
        self.interrupts.accesses
    }

    /// Lets virtual time jump to the next interrupt, if the guest takes any.
    fn jump_to_interrupt(&mut self) {
        if !self.takes_interrupts() || !self.may_interrupt() || self.devices.chipset().interrupt() {
            return;
        }
        if let Some(at) = self.devices.chipset().next_interrupt() {
            self.devices.pass(at.0.saturating_sub(self.devices.now().0));
        }
    }

    /// The guest need not be left for an interrupt.
    pub(super) fn stop_alarm(&mut self) {
        if let Some(alarm) = &mut self.interrupts.alarm {
            alarm.stop();
        }
        self.interrupts.alarm_at = None;
        self.interrupts.alarm_is_right = false;
    }

    /// The guest runs no more.
    pub(super) fn rest_from_interrupts(&mut self) {
        self.vcpu.request_interrupt_window(false);
        self.stop_alarm();
        if std::mem::take(&mut self.interrupts.has_patience)
            && let Some(patience) = &mut self.interrupts.patience
        {
            patience.stop();
        }
    }
}

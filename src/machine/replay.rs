//! Another run of a guest from its start, by exact steps, to see what a run has left no trace of: KVM keeps no history.
//!
//! It takes the course of the first as far as that depends on nothing but the guest, what was typed at its start, and
//! virtual time. Nobody hears of it, and no account is given of its shutdown.

use std::time::{Duration, Instant};

use super::{Config, Interrupts, Machine, MachineError, OnUnclaimed, StopReason, Typing};

/// What another run may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Instructions.
    pub steps: u64,
    /// The host's time.
    pub time: Duration,
}

/// How another run ended.
#[derive(Debug)]
pub enum Replayed<T> {
    /// What was looked for is found.
    Found(T),
    /// The guest stopped before.
    Stopped(StopReason),
    /// The bounds are reached.
    Spent,
}

impl Machine {
    /// A machine for another run of the guest that `config` has, where `typing` is typed at the start. `interrupts` is
    /// what the first run had: those that came while it ran come in steps, too.
    ///
    /// # Errors
    /// As of [`Machine::new`].
    pub fn for_replay(
        config: Config,
        typing: Typing,
        interrupts: Interrupts,
    ) -> Result<Machine, MachineError> {
        let mut machine = Machine::new(Config { on_unclaimed: OnUnclaimed::Ignore, ..config })?;
        machine.replays = true;
        // The first took it.
        let _ = machine.type_at_start(typing);
        machine.set_interrupts(match interrupts {
            Interrupts::Auto | Interrupts::On => Interrupts::On,
            Interrupts::Off => Interrupts::Off,
        });
        Ok(machine)
    }

    /// Such a machine for what this one has run; nothing if that is to leave no second trace in files, or cannot be.
    pub(super) fn replay_of_this(&self) -> Option<Machine> {
        let mut disks = self.disks.clone();
        let mut all = disks.hard.iter().chain(&disks.floppies).flatten();
        if all.any(|disk| disk.image.changes_its_file()) {
            return None;
        }
        disks.forget_changes();
        let config = Config {
            ram_size: self.ram_size,
            boot: self.boot.clone(),
            devices: self.optional_devices.clone(),
            on_unclaimed: OnUnclaimed::Ignore,
            firmware: self.firmware,
            disks,
        };
        Machine::for_replay(config, self.typing.clone(), self.interrupts()).ok()
    }

    /// Steps until `look` finds something. It looks before each step, and at a stop, which it gets; a guest that has
    /// executed HLT goes on with the next interrupt unless something is found there.
    pub fn replay<T>(
        &mut self,
        bounds: Bounds,
        mut look: impl FnMut(&Machine, Option<&StopReason>) -> Option<T>,
    ) -> Replayed<T> {
        let begin = Instant::now();
        for _ in 0..bounds.steps {
            if begin.elapsed() > bounds.time {
                break;
            }
            if let Some(found) = look(self, None) {
                return Replayed::Found(found);
            }
            let mut stop = self.step();
            if matches!(stop, StopReason::Halted { interruptible: true, .. }) {
                if let Some(found) = look(self, Some(&stop)) {
                    return Replayed::Found(found);
                }
                stop = self.wake();
            }
            if !matches!(stop, StopReason::Stepped | StopReason::Kicked) {
                let found = look(self, Some(&stop));
                return found.map_or(Replayed::Stopped(stop), Replayed::Found);
            }
        }
        Replayed::Spent
    }
}

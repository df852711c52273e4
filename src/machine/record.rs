//! What the machine keeps of a run for whoever judges it afterwards: why it stopped last, what the guest wrote to
//! ports, and how many instructions it executed, if they are to be counted.
//!
//! Counting has a price: KVM does not count, so a counted guest runs by exact steps.

use std::collections::VecDeque;

use super::{Machine, StopReason};
use crate::devices::chipset::SERIAL_PORTS;
use crate::x86::instruction::MAX_LEN;
use crate::x86::{CpuState, disasm};

/// A value that the guest wrote to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortWrite {
    /// The port.
    pub port: u16,
    /// Width in bytes: 1, 2 or 4.
    pub size: u8,
    /// The value; bits above the width are 0.
    pub value: u32,
}

/// An instruction that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Where it is, as CS:IP.
    pub location: String,
    /// Its disassembly.
    pub text: String,
    /// How often in a row: iterations of a repeated string instruction, or a jump to itself.
    pub times: u64,
}

/// So many port writes are kept; a guest may write for ever.
const MOST_WRITES: usize = 1 << 20;

/// The record of a run since power-on.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    last_stop: Option<StopReason>,
    told: Vec<String>,
    keeps_writes: bool,
    writes: Vec<PortWrite>,
    lost_writes: u64,
    /// What each serial port sent.
    serial: [Vec<u8>; SERIAL_PORTS],
    counts: bool,
    limit: Option<u64>,
    instructions: u64,
    /// How many instructions are remembered; none unless somebody wants them.
    memory: usize,
    recent: VecDeque<Trail>,
}

/// An instruction in the raw, since most are forgotten again.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    cpu: CpuState,
    bytes: [u8; MAX_LEN],
    len: usize,
    times: u64,
}

impl Record {
    /// Forgets the run, but not what is to be recorded.
    pub(super) fn reset(&mut self) {
        self.last_stop = None;
        self.told.clear();
        self.writes.clear();
        self.lost_writes = 0;
        self.serial = Default::default();
        self.instructions = 0;
        self.recent.clear();
    }

    /// Whether the guest has to be run by steps.
    pub(super) fn counts(&self) -> bool {
        self.counts
    }

    /// Whether anything of what the guest does is kept.
    pub(super) fn is_kept(&self) -> bool {
        self.counts || self.keeps_writes
    }

    /// Notes a write to a port.
    pub(super) fn note_write(&mut self, port: u16, size: u8, value: u32) {
        if !self.keeps_writes {
            return;
        }
        if self.writes.len() < MOST_WRITES {
            self.writes.push(PortWrite { port, size, value });
        } else {
            self.lost_writes += 1;
        }
    }

    /// Notes what serial port `number`, from 0, sent.
    pub(super) fn note_serial(&mut self, number: usize, bytes: &[u8]) {
        let kept = self.serial.get_mut(number).filter(|_| self.keeps_writes);
        if let Some(kept) = kept {
            let room = MOST_WRITES.saturating_sub(kept.len());
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// How many instructions were executed, if that is as many as may be.
    fn reached_limit(&self) -> Option<u64> {
        self.limit.filter(|limit| self.instructions >= *limit)
    }
}

impl Machine {
    /// Why the guest stopped last, since power-on.
    #[must_use]
    pub fn last_stop(&self) -> Option<&StopReason> {
        self.record.last_stop.as_ref()
    }

    /// Keeps what the guest writes to ports, and sends on its serial ports, from now on.
    pub fn keep_port_writes(&mut self) {
        self.record.keeps_writes = true;
    }

    /// What the guest wrote to ports since power-on, oldest first, if that is kept; the first million of it.
    #[must_use]
    pub fn port_writes(&self) -> &[PortWrite] {
        &self.record.writes
    }

    /// Writes to ports that [`Machine::port_writes`] had no room for.
    #[must_use]
    pub fn lost_port_writes(&self) -> u64 {
        self.record.lost_writes
    }

    /// What serial port `port`, 1 for COM1, sent since power-on, if that is kept; the first million bytes.
    #[must_use]
    pub fn serial_output(&self, port: usize) -> &[u8] {
        let number = port.checked_sub(1);
        number.and_then(|number| self.record.serial.get(number)).map_or(&[], Vec::as_slice)
    }

    /// Counts instructions from now on, each iteration of a repeated string instruction as one. The guest runs
    /// instruction by instruction then, tens of times slower.
    pub fn count_instructions(&mut self) {
        self.record.counts = true;
    }

    /// Counts instructions, and stops for good when the guest has executed `limit` of them since power-on.
    pub fn limit_instructions(&mut self, limit: u64) {
        self.record.counts = true;
        self.record.limit = Some(limit);
    }

    /// Instructions executed since power-on, if they are counted.
    #[must_use]
    pub fn instructions(&self) -> Option<u64> {
        self.record.counts.then_some(self.record.instructions)
    }

    /// Remembers the last `number` instructions that are executed by steps.
    pub fn remember_instructions(&mut self, number: usize) {
        self.record.memory = number;
    }

    /// Forgets the instructions executed so far.
    pub fn forget_instructions(&mut self) {
        self.record.recent.clear();
    }

    /// The instructions executed last, oldest first, as far as they are remembered.
    #[must_use]
    pub fn recent_instructions(&self) -> Vec<Executed> {
        self.record.recent.iter().map(Trail::executed).collect()
    }

    pub(super) fn note_stop(&mut self, stop: &StopReason) {
        if *stop != StopReason::Kicked {
            self.record.last_stop = Some(stop.clone());
        }
    }

    /// Tells the user something of the guest's course.
    pub(super) fn tell(&mut self, text: String) {
        self.observer.notice(&text);
        self.record.told.push(text);
    }

    /// What the user was told of the guest's course since its start: that it has run off its end, or raises an exception
    /// that leads nowhere, or has no boot signature.
    #[must_use]
    pub fn told(&self) -> &[String] {
        &self.record.told
    }

    /// The stop at the limit of instructions, if the guest has come there.
    pub(super) fn limit_stop(&self) -> Option<StopReason> {
        let instructions = self.record.reached_limit()?;
        Some(StopReason::Limit { instructions, location: self.vcpu.cpu().location() })
    }

    /// The next instruction for [`Machine::note_step`], if it is to be remembered.
    pub(super) fn before_step(&self) -> Option<Trail> {
        if self.record.memory == 0 || self.rerunning {
            return None;
        }
        let mut bytes = [0; MAX_LEN];
        let len = self.code_bytes(&mut bytes);
        Some(Trail { cpu: self.vcpu.cpu().clone(), bytes, len, times: 1 })
    }

    /// Counts a step, and remembers it if `before` was kept.
    pub(super) fn note_step(&mut self, before: Option<Trail>) {
        if self.rerunning {
            return;
        }
        let record = &mut self.record;
        record.instructions += 1;
        let Some(step) = before else { return };
        match record.recent.back_mut() {
            Some(last) if last.cpu.pc() == step.cpu.pc() => last.times += 1,
            _ => record.recent.push_back(step),
        }
        while record.recent.len() > record.memory {
            record.recent.pop_front();
        }
    }
}

impl Trail {
    fn executed(&self) -> Executed {
        let bits = self.cpu.mode().code_bits();
        let code = disasm::disassemble(&self.bytes[..self.len], bits, self.cpu.rip);
        let text = code.map_or_else(|| disasm::INVALID.to_owned(), |code| code.text);
        Executed { location: self.cpu.location(), text, times: self.times }
    }
}
